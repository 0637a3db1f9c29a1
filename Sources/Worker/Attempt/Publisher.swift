import Artifacts
import CoordinatorClient
import Foundation
import Synchronization
import Wire
import Workflow

/// Brings an attempt's outputs to the coordinator: digests, asks what is missing, sends that.
struct Publisher: Sendable {
    let contact: SessionContact
    let cache: ArtifactCache
    /// Asked before every piece that is sent.
    let mayContinue: @Sendable () -> Bool

    /// Uploads at once.
    private static let width = 4

    /// An output file with its name.
    struct Prepared: Sendable {
        var path: String
        var output: CompletionItem.Output
    }

    func prepare(_ outputs: [TaskResult.Output], in folder: AttemptFolder) async throws -> [Prepared] {
        var prepared: [Prepared] = []
        for output in outputs {
            let (path, size) = try await BlockingWork.run { try folder.path(of: output) }
            let digest = try await ArtifactReader(path: path).digest()
            let name = output.file.split(separator: "/").last.map(String.init) ?? output.file
            prepared.append(
                Prepared(
                    path: path,
                    output: CompletionItem.Output(
                        port: output.port, name: name, digest: digest, sizeBytes: size, mediaType: output.mediaType,
                        metadata: output.metadata)))
        }
        return prepared
    }

    /// Makes the store have all of `outputs`. - Returns: bytes sent.
    func upload(_ outputs: [Prepared]) async throws -> Int64 {
        guard !outputs.isEmpty else { return 0 }
        let missing = Set(
            try await contact.noting {
                try await contact.client.missing(
                    outputs.map(\.output.digest), patience: contact.remainingTrust(), mayContinue: mayContinue)
            })
        // Two outputs may hold the same bytes.
        var seen: Set<ArtifactDigest> = []
        let wanted = outputs.filter { missing.contains($0.output.digest) && seen.insert($0.output.digest).inserted }
        return try await withThrowingTaskGroup(of: Void.self) { group in
            var rest = wanted[...]
            for item in rest.prefix(Self.width) { group.addTask { try await upload(item) } }
            rest = rest.dropFirst(Self.width)
            while try await group.next() != nil {
                if let item = rest.popFirst() { group.addTask { try await upload(item) } }
            }
            return wanted.reduce(0) { $0 + $1.output.sizeBytes }
        }
    }

    private func upload(_ item: Prepared) async throws {
        try await contact.client.upload(
            item.path, digest: item.output.digest, sizeBytes: item.output.sizeBytes, mediaType: item.output.mediaType,
            patience: contact.remainingTrust(), mayContinue: mayContinue)
    }

    /// Keeps the outputs for tasks after this one that run here. A full cache only costs them a download.
    func keep(_ outputs: [Prepared]) async {
        for item in outputs {
            // Whatever is wrong with the copy here, the store has the bytes.
            _ = try? await cache.adopt(
                fileAt: item.path, as: item.output.digest, sizeBytes: item.output.sizeBytes)
        }
    }
}
