import Workflow

/// Of tasks over many people: why one of them takes no part, where that is no reason to stop for the others.
enum LeftOut {
    /// What stopped the reading of a person's files, as the end of a sentence.
    static func reason(_ error: any Error) -> String {
        let sentence = (error as? TaskResult.Failure)?.message ?? "\(error)"
        return sentence.hasSuffix(".") ? String(sentence.dropLast()) : sentence
    }
}
