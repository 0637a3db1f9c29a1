import Workflow

/// Of tasks over many people: why one of them takes no part, where that is no reason to stop for the others.
enum LeftOut {
    /// What is wrong with a person's files, as the end of a sentence.
    ///
    /// - Throws: what the machine did, and the files did not: the attempt is to be made again, with everybody.
    static func reason(_ error: any Error) throws -> String {
        let failure = AttemptRunner.classify(error)
        guard failure.outcome == .permanent else { throw error }
        return failure.message.hasSuffix(".") ? String(failure.message.dropLast()) : failure.message
    }
}
