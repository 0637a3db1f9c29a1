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

    /// A disk is full, this worker's or the coordinator's: no fault of the task, and the next would fare no better.
    static func isWithoutRoom(_ error: any Error) -> Bool {
        switch error {
        case WorkerError.system(_, _, ENOSPC), WorkerError.system(_, _, EDQUOT), ArtifactError.storageFull: true
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
