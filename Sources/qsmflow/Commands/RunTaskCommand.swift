import Foundation
import Tasks

/// The attempt's process, started by a worker: `qsmflow run-task FOLDER`. Not for people, so not in the help.
enum RunTaskCommand {
    static let name = "run-task"

    static func runAndExit(_ arguments: [String]) -> Never {
        guard arguments.count == 1 else {
            Console.complain("run-task takes the folder of one attempt; it is started by `qsmflow worker`")
            exit(64)
        }
        do {
            exit(try AttemptRunner.run(folder: arguments[0]))
        } catch {
            Console.complain(String(describing: error))
            exit(70)
        }
    }
}
