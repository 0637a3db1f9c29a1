import Foundation

/// What can go wrong on the worker's machine.
package enum WorkerError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The configuration cannot work.
    case unusable(String)
    /// A system call failed.
    case system(doing: String, path: String, errorNumber: Int32)
    case cannotStart(program: String, step: String, errorNumber: Int32)
    /// An input's name would leave the attempt's folder.
    case unsafeName(String, port: String)
    /// The result names something that is not a file of the output folder.
    case badOutput(file: String, port: String, reason: String)

    package var description: String {
        switch self {
        case .unusable(let sentence): sentence
        case .system(let doing, let path, let number):
            "\(doing) \(path) failed: \(String(cString: strerror(number)))"
        case .cannotStart(let program, let step, let number):
            "\(program) could not be started: \(step) failed, \(String(cString: strerror(number))); "
                + "see that the program exists and may be run on this worker"
        case .unsafeName(let name, let port):
            "input “\(port)” is called “\(name)”, which is no plain file name; rename the file"
        case .badOutput(let file, let port, let reason):
            "output “\(port)”, file “\(file)”, \(reason)"
        }
    }

    /// The error of the system call that just failed on this thread.
    static func last(_ doing: String, _ path: String) -> WorkerError {
        .system(doing: doing, path: path, errorNumber: errno)
    }
}
