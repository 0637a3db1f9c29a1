import ArgumentParser
import CoordinatorClient
import Foundation
import Postgres
import Wire

/// Exit codes and the sentence that goes with an error; documented in `qsmflow --help`.
enum ExitStatus {
    static let failed: Int32 = 1
    static let finishedWithFailures: Int32 = 2
    static let badData: Int32 = 65
    static let unavailable: Int32 = 69
    static let notAllowed: Int32 = 77
    /// As a shell says it: 128 and the signal; of Ctrl-C when none is known.
    static var interrupted: Int32 { 128 + (Interruption.signal ?? SIGINT) }

    static func code(of error: any Error) -> Int32 {
        switch error {
        case let error as CommandFailure: return error.code
        case let error as APIError:
            switch error.code {
            case "unauthorized", "forbidden": return notAllowed
            case let code where code.hasPrefix("invalid"): return badData
            case "database_unavailable": return unavailable
            default: return failed
            }
        case let error as ClientError:
            if case .unreachable = error { return unavailable }
            if case .timedOut = error { return unavailable }
            return failed
        case is PostgresError: return unavailable
        case is CancellationError: return interrupted
        default: return failed
        }
    }

    /// Prints one sentence and ends the process with the code for it. Usage errors and help keep ArgumentParser's form.
    static func end(with error: any Error) -> Never {
        // What came of ending in the middle is no news.
        if Interruption.signal != nil, error is APIError || error is ClientError || error is PostgresError {
            exit(interrupted)
        }
        switch error {
        case is APIError, is ClientError, is CommandFailure, is PostgresError:
            let text = String(describing: error)
            if !text.isEmpty { Console.complain(text) }
            exit(code(of: error))
        case is CancellationError:
            exit(interrupted)
        case is ExitCode, is CleanExit, is ValidationError:
            QSMFlow.exit(withError: error)
        default:
            if String(reflecting: type(of: error)).hasPrefix("ArgumentParser.") { QSMFlow.exit(withError: error) }
            Console.complain(String(describing: error))
            exit(failed)
        }
    }
}

/// A command's own failure: one sentence and its exit code.
struct CommandFailure: Error, CustomStringConvertible {
    var description: String
    var code: Int32

    init(_ description: String, code: Int32 = ExitStatus.failed) { (self.description, self.code) = (description, code) }

    /// The reason was printed already.
    static func silent(_ code: Int32) -> CommandFailure { CommandFailure("", code: code) }
}
