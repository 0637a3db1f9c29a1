import Artifacts
import CoordinatorClient
import Foundation
import Wire
import Workflow

/// What an error on the worker's side means for the attempt. Pure.
enum AttemptFailure {
    /// Nil when the coordinator knows already, or when there is nobody to tell.
    static func verdict(on error: any Error) -> AttemptVerdict? {
        switch error {
        case is CancellationError, ClientError.abandoned: nil
        case let error as APIError: verdict(on: error)
        case WorkerError.unsafeName, WorkerError.badOutput: AttemptVerdict(.permanent, "\(error)")
        // Disks, connections, caches, programs that do not start: another worker or another time may do.
        default: AttemptVerdict(.transient, "\(error)")
        }
    }

    /// A disk is full, this worker's or the coordinator's, or this worker's cache is full of what other attempts read: no
    /// fault of the task, and the next would fare no better.
    ///
    /// - Parameter inputBytes: what the attempt reads. Where that alone is more than the cache may hold, waiting would be
    ///   for ever, and the attempt has failed here.
    static func isWithoutRoom(_ error: any Error, inputBytes: Int64 = 0) -> Bool {
        switch error {
        case WorkerError.system(_, _, ENOSPC), WorkerError.system(_, _, EDQUOT), ArtifactError.storageFull: true
        case ArtifactError.cacheFull(let needed, let limit, _): max(needed, inputBytes) <= limit
        case let error as APIError: error.code == "storage_full"
        default: false
        }
    }

    private static func verdict(on error: APIError) -> AttemptVerdict? {
        if error.endsSession { return nil }
        if error.isPassing || error.code == "not_found" { return AttemptVerdict(.transient, error.message) }
        // `source_changed`, or a result the coordinator does not take: the same again would be refused again.
        return AttemptVerdict(.permanent, error.description)
    }
}
