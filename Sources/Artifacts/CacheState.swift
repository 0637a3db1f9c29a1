import Foundation
import Workflow

/// What the cache knows, and what each request means for it. No file is touched here.
struct CacheState: Sendable {
    enum Step: Hashable {
        /// Pinned; use it.
        case ready
        /// Pinned, but left by an earlier process: digest it, then `settle`.
        case verify
        /// Pinned, with room made by removing these: bring the bytes, then `settle`.
        case fill(evict: [ArtifactDigest])
        /// Somebody else is bringing it: wait, then ask again.
        case wait
        /// What is pinned leaves too little room.
        case full(pinnedBytes: Int64)
    }

    private enum Content { case verified, unverified, coming }

    private struct Entry: Sendable {
        var sizeBytes: Int64
        var content: Content
        var pins: Int
        var lastUse: UInt64
        var waiters: [UUID: CheckedContinuation<Void, Never>] = [:]
    }

    let limitBytes: Int64
    private(set) var usedBytes: Int64 = 0
    private var entries: [ArtifactDigest: Entry] = [:]
    private var clock: UInt64 = 0

    init(limitBytes: Int64) { self.limitBytes = limitBytes }

    func has(_ digest: ArtifactDigest) -> Bool { entries[digest] != nil }

    private mutating func tick() -> UInt64 {
        clock += 1
        return clock
    }

    /// Enters what lies in the folder at the start, least recently used first.
    mutating func found(_ digest: ArtifactDigest, sizeBytes: Int64) {
        entries[digest] = Entry(sizeBytes: sizeBytes, content: .unverified, pins: 0, lastUse: tick())
        usedBytes += sizeBytes
    }

    /// Forgets what is over the limit; the answer is to be removed.
    mutating func trim() -> [ArtifactDigest] { makeRoom(for: 0) ?? [] }

    mutating func request(_ digest: ArtifactDigest, sizeBytes: Int64) -> Step {
        if var entry = entries[digest] {
            if entry.content == .coming { return .wait }
            entry.pins += 1
            entry.lastUse = tick()
            let step: Step = entry.content == .verified ? .ready : .verify
            entry.content = entry.content == .verified ? .verified : .coming
            entries[digest] = entry
            return step
        }
        guard let evicted = makeRoom(for: sizeBytes) else {
            return .full(pinnedBytes: entries.values.reduce(0) { $0 + ($1.pins > 0 ? $1.sizeBytes : 0) })
        }
        entries[digest] = Entry(sizeBytes: sizeBytes, content: .coming, pins: 1, lastUse: tick())
        usedBytes += sizeBytes
        return .fill(evict: evicted)
    }

    /// Forgets unpinned entries, least recently used first, until `bytes` fit; nil, and nothing forgotten, when even
    /// that is too little.
    private mutating func makeRoom(for bytes: Int64) -> [ArtifactDigest]? {
        guard usedBytes + bytes > limitBytes else { return [] }
        let candidates = entries.filter { $0.value.pins == 0 }.sorted { $0.value.lastUse < $1.value.lastUse }
        var freed: Int64 = 0
        var evicted: [ArtifactDigest] = []
        for (digest, entry) in candidates where usedBytes - freed + bytes > limitBytes {
            freed += entry.sizeBytes
            evicted.append(digest)
        }
        guard usedBytes - freed + bytes <= limitBytes else { return nil }
        for digest in evicted { entries[digest] = nil }
        usedBytes -= freed
        return evicted
    }

    /// Ends `fill` or `verify`. The answer is to be resumed.
    mutating func settle(_ digest: ArtifactDigest, present: Bool) -> [CheckedContinuation<Void, Never>] {
        guard var entry = entries[digest], entry.content == .coming else { return [] }
        let waiters = Array(entry.waiters.values)
        entry.waiters = [:]
        if present {
            entry.content = .verified
            entries[digest] = entry
        } else {
            usedBytes -= entry.sizeBytes
            entries[digest] = nil
        }
        return waiters
    }

    mutating func unpin(_ digest: ArtifactDigest) {
        guard var entry = entries[digest] else { return }
        precondition(entry.pins > 0, "an artifact is unpinned once per pin")
        entry.pins -= 1
        entries[digest] = entry
    }

    /// False when it has settled meanwhile.
    mutating func wait(for digest: ArtifactDigest, id: UUID, _ waiter: CheckedContinuation<Void, Never>) -> Bool {
        guard entries[digest]?.content == .coming else { return false }
        entries[digest]?.waiters[id] = waiter
        return true
    }

    mutating func stopWaiting(for digest: ArtifactDigest, id: UUID) -> CheckedContinuation<Void, Never>? {
        entries[digest]?.waiters.removeValue(forKey: id)
    }
}
