import Artifacts
import CoordinatorClient
import Foundation
import Workflow

/// Brings an attempt's inputs into its folder under their names, each checked against its digest.
package struct Staging: Sendable {
    package typealias Fetch = @Sendable (_ digest: ArtifactDigest, _ path: String) async throws -> Void

    package struct Staged: Sendable {
        package var inputs: [TaskRequest.StagedInput]
        /// Bytes brought over the network.
        package var fetchedBytes: Int64
        /// Keep the cache from dropping what the attempt reads.
        package var pins: [PinnedArtifact]

        /// The attempt has read what it reads.
        package func release() {
            for pin in pins { pin.release() }
        }
    }

    private let cache: ArtifactCache
    private let verified: VerifiedFiles
    private let fetch: Fetch
    /// Inputs on their way at once.
    private static let width = 4

    /// - Parameter fetch: brings an artifact's bytes to a new file.
    package init(cache: ArtifactCache, verified: VerifiedFiles, fetch: @escaping Fetch) {
        (self.cache, self.verified, self.fetch) = (cache, verified, fetch)
    }

    /// Stages `inputs` under `folder`, one numbered folder each, so that gathered inputs may share a name.
    ///
    /// A file that this machine can read where the coordinator says it lies, with the right bytes, is linked; any other
    /// comes through the cache.
    ///
    /// - Parameter asCopies: every input is a copy of its own. For programs that are not ours: one that writes over its
    ///   input would otherwise write over the dataset, or over what later attempts read.
    package func stage(_ inputs: [TaskInput], in folder: String, asCopies: Bool = false) async throws -> Staged {
        for input in inputs { try Self.checkName(input) }
        return try await withThrowingTaskGroup(of: (Int, Item).self) { group in
            var items = [Item?](repeating: nil, count: inputs.count)
            var next = 0
            while next < min(Self.width, inputs.count) {
                let index = next
                group.addTask { (index, try await stage(inputs[index], in: "\(folder)/\(index)", asCopies)) }
                next += 1
            }
            while let (index, item) = try await group.next() {
                items[index] = item
                if next < inputs.count {
                    let index = next
                    group.addTask { (index, try await stage(inputs[index], in: "\(folder)/\(index)", asCopies)) }
                    next += 1
                }
            }
            let all = items.compactMap { $0 }
            return Staged(
                inputs: zip(inputs, all).map { TaskRequest.StagedInput(input: $0, path: $1.path) },
                fetchedBytes: all.reduce(0) { $0 + $1.fetchedBytes }, pins: all.compactMap(\.pin))
        }
    }

    private struct Item: Sendable {
        var path: String
        var fetchedBytes: Int64 = 0
        var pin: PinnedArtifact?
    }

    private func stage(_ input: TaskInput, in folder: String, _ asCopies: Bool) async throws -> Item {
        let path = "\(folder)/\(input.name)"
        if let source = input.sourcePath, source.hasPrefix("/"),
            try await verified.check(source, digest: input.digest, sizeBytes: input.sizeBytes) == .matches
        {
            try await BlockingWork.run {
                try ScratchFolder.makeFolder(folder)
                if asCopies {
                    try copyFile(source, to: path)
                } else if symlink(source, path) != 0 {
                    throw WorkerError.last("linking", path)
                }
            }
            return Item(path: path)
        }
        let fetched = Counter()
        let pin = try await cache.artifact(input.digest, sizeBytes: input.sizeBytes) { temporary in
            try await fetch(input.digest, temporary)
            fetched.add(input.sizeBytes)
        }
        try await BlockingWork.run {
            try ScratchFolder.makeFolder(folder)
            if asCopies { try pin.copy(to: path) } else { try pin.place(at: path) }
        }
        return Item(path: path, fetchedBytes: fetched.value, pin: pin)
    }

    /// A name becomes a file of the attempt's folder and nothing else.
    private static func checkName(_ input: TaskInput) throws(WorkerError) {
        let name = input.name
        guard !name.isEmpty, name != ".", name != "..", name.utf8.count <= 255,
            !name.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == 0 })
        else { throw .unsafeName(name, port: input.port) }
    }
}
