import BIDS
import Foundation
import Kernels
import Networks
import Workflow

/// One session's files for training.
struct TrainingSession: Sendable {
    var context: TaskContext
    var images: [TaskRequest.StagedInput]
    var mask: TaskRequest.StagedInput?
    var labels: TaskRequest.StagedInput?
    /// Names of the regions in it.
    var table: TaskRequest.StagedInput?
    var targets: TaskRequest.StagedInput?
    var features: TaskRequest.StagedInput?

    var subject: String { context.subject ?? "" }
}

/// Who takes part in a training, and in which part of it.
struct TrainingPeople {
    /// In the order of their contexts.
    var training: [TrainingSession]
    var validation: [TrainingSession]
    /// Whoever was left out, and why.
    var warnings: [String]

    /// What a session may have to have.
    enum Need: String {
        case masks, labels, tables, targets, features

        var words: String {
            switch self {
            case .masks: "brain mask, inside which a channel is normalised"
            case .labels: "label map"
            case .tables: "table of the names of its regions"
            case .targets: "table of targets"
            case .features: "table of features"
            }
        }
    }

    /// Splits by person, never by session: what is judged by has not been trained on.
    ///
    /// - Parameters:
    ///   - needs: sessions that lack one of these beside their images are left out.
    ///   - reason: why a session takes no part, besides; nil where it does. Asked before people are split, so that nobody
    ///     is said to have been trained on who was not.
    ///   - fraction: share of the people that are only judged by; at least one where it is above 0.
    init(
        _ environment: TaskEnvironment, channels: Int, needs: [Need], fraction: Double, seed: UInt64,
        unless reason: (TrainingSession) throws -> String? = { _ in nil }
    ) throws {
        let ports = ["images", "images2", "images3", "images4"]
        let images = try ports.prefix(channels).map { try environment.inputsByContext($0) }
        let masks = try environment.inputsByContext("masks"), labels = try environment.inputsByContext("labels")
        let tables = try environment.inputsByContext("tables"), targets = try environment.inputsByContext("targets")
        let features = try environment.inputsByContext("features")
        let checks = Set(environment.inputs("checks").map(\.input.context))
        let isChecked = !environment.inputs("checks").isEmpty

        var sessions: [TrainingSession] = []
        var warnings: [String] = []
        for (context, first) in images[0].sorted(by: { $0.key < $1.key }) {
            if isChecked, !checks.contains(context) {
                warnings.append("\(context) takes no part: its images were refused.")
                continue
            }
            let further = images.dropFirst().compactMap { $0[context] }
            guard further.count == channels - 1 else {
                warnings.append("\(context) takes no part: it lacks one of the \(channels) channels.")
                continue
            }
            let has: [Need: Bool] = [
                .masks: masks[context] != nil, .labels: labels[context] != nil, .tables: tables[context] != nil,
                .targets: targets[context] != nil, .features: features[context] != nil,
            ]
            if let lacking = needs.first(where: { has[$0] == false }) {
                warnings.append("\(context) takes no part: it has no \(lacking.words).")
                continue
            }
            let session = TrainingSession(
                context: context, images: [first] + further, mask: masks[context], labels: labels[context],
                table: tables[context], targets: targets[context], features: features[context])
            if let reason = try reason(session) {
                warnings.append("\(context) takes no part: \(reason).")
                continue
            }
            sessions.append(session)
        }
        guard !sessions.isEmpty else {
            throw TaskResult.Failure.permanent(
                "Nobody has all that step \(environment.request.step) trains on; the first reason: \(warnings.first ?? "there are no images")"
            )
        }

        let subjects = Set(sessions.map(\.subject)).sorted()
        let judged =
            fraction > 0 && subjects.count > 1
            ? min(subjects.count - 1, max(1, Int((fraction * Double(subjects.count)).rounded()))) : 0
        // A person's place depends on the seed and the label alone, so that others joining move few.
        let random = Philox(seed: seed)
        let order = subjects.map { subject -> (key: UInt64, subject: String) in
            var hash: UInt64 = 0xCBF2_9CE4_8422_2325
            for byte in subject.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
            var stream = random.stream(
                UInt32(truncatingIfNeeded: hash), UInt32(truncatingIfNeeded: hash >> 32), 0x5350_4C54)
            return (stream.next(), subject)
        }.sorted { ($0.key, $0.subject) < ($1.key, $1.subject) }
        let validating = Set(order.prefix(judged).map(\.subject))
        training = sessions.filter { !validating.contains($0.subject) }
        validation = sessions.filter { validating.contains($0.subject) }
        self.warnings = warnings
    }

    var split: ModelCard.Split {
        ModelCard.Split(
            training: Set(training.map(\.subject)).sorted(), validation: Set(validation.map(\.subject)).sorted())
    }

    /// One digest of every file and of who is trained on: a checkpoint of other data is not gone on with.
    var digest: String {
        let files = data.map { "\($0.subject) \($0.session ?? "") \($0.digest)" }
        let text = (files + ["training"] + split.training + ["validation"] + split.validation).joined(separator: "\n")
        return ArtifactDigest(of: Data(text.utf8)).description
    }

    /// Every file by what it holds.
    var data: [ModelCard.DataItem] {
        (training + validation).flatMap { session in
            let further = [session.mask, session.labels, session.table, session.targets, session.features]
            return (session.images + further.compactMap { $0 }).map {
                ModelCard.DataItem(
                    subject: session.subject, session: session.context.session, file: $0.input.name,
                    digest: $0.input.digest.description)
            }
        }
    }
}
