import BIDS
import CSpawn
import Foundation
import Workflow

/// Runs a program that the worker's operator has allowed.
///
/// The program starts in an empty folder of its own, without a shell, so that no file name can be read as a command.
/// It inherits the limits of the attempt. Its standard output and error go to the attempt's log.
enum CommandTask: TaskImplementation {
    static let kind = "command"

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        let request = environment.request
        let name = environment.text("program")
        guard let program = request.commandPath else {
            throw TaskResult.Failure.permanent(
                "This worker does not allow the program “\(name)”; start it with --allow-command \(name)=/path/to/program"
            )
        }
        guard FileManager.default.isExecutableFile(atPath: program) else {
            throw TaskResult.Failure.permanent(
                "\(program), allowed as “\(name)”, is not an executable file; correct the path")
        }
        let files = environment.map("outputs").compactMapValues(\.stringValue)
        let words = CommandWords(
            inputs: Dictionary(grouping: request.inputs, by: \.input.port).mapValues { $0.map(\.path) },
            outputs: files.mapValues { request.outputFolder + "/" + $0 },
            context: request.context, threads: request.threads)
        let arguments = try environment.texts("arguments").flatMap(words.expand)

        let status = try spawn(
            program, arguments: arguments,
            variables: try environment.map("environment").mapValues { value in
                try words.expand(value.stringValue ?? value.canonicalString).joined(separator: " ")
            }, in: request.outputFolder)
        guard status.exited, status.code == 0 else {
            let ending = status.exited ? "exit code \(status.code)" : "signal \(status.signal)"
            throw TaskResult.Failure.permanent("\(name) ended with \(ending); its last words are in the attempt's log")
        }

        var outputs: [TaskResult.Output] = []
        for (port, file) in files.sorted(by: { $0.key < $1.key }) {
            guard FileManager.default.fileExists(atPath: request.outputFolder + "/" + file) else {
                throw TaskResult.Failure.permanent(
                    "\(name) ended well but did not write \(file), declared as output “\(port)”; correct arguments or outputs"
                )
            }
            outputs.append(TaskResult.Output(port: port, file: file, mediaType: mediaType(of: file)))
        }
        var measured: [MeasuredValue] = []
        let port = environment.text("measurements")
        if !port.isEmpty {
            guard let file = files[port] else {
                throw TaskResult.Failure.permanent(
                    "Parameter measurements names “\(port)”, which is not among the outputs")
            }
            measured = try readMeasurements(request.outputFolder + "/" + file, name: file)
        }
        return TaskResult(outputs: outputs, measurements: measured)
    }

    private static func spawn(
        _ program: String, arguments: [String], variables: [String: String], in folder: String
    ) throws -> qsm_exit_status {
        var inherited = ProcessInfo.processInfo.environment
        inherited.merge(variables) { _, new in new }
        var argv: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = inherited.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        return try program.withCString { executable in
            try folder.withCString { folder in
                try argv.withUnsafeMutableBufferPointer { argv in
                    try envp.withUnsafeMutableBufferPointer { envp in
                        var options = qsm_spawn_defaults()
                        options.executable = executable
                        options.argv = UnsafePointer(argv.baseAddress!)
                        options.envp = UnsafePointer(envp.baseAddress!)
                        options.working_directory = folder
                        options.stdout_fd = 1
                        options.stderr_fd = 2
                        // In the attempt's own group, so that what ends the attempt ends the program too.
                        options.process_group = Int32(QSM_GROUP_INHERITED.rawValue)
                        options.parent_death_signal = SIGKILL
                        var failure = qsm_spawn_failure()
                        let pid = qsm_spawn(&options, &failure)
                        guard pid > 0 else {
                            throw TaskResult.Failure.permanent(
                                "\(program) cannot be started: \(String(cString: strerror(failure.code)))")
                        }
                        var status = qsm_exit_status()
                        guard qsm_wait4(pid, &status) >= 0 else {
                            throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .ECHILD)
                        }
                        return status
                    }
                }
            }
        }
    }

    private static func mediaType(of file: String) -> String {
        for format in [TaskPort.Format.volume, .json, .table, .picture, .model]
        where file.hasSuffix("." + format.fileExtension) {
            return format.mediaType
        }
        return file.hasSuffix(".nii") ? TaskPort.Format.volume.mediaType : TaskPort.Format.file.mediaType
    }

    private static func readMeasurements(_ path: String, name: String) throws -> [MeasuredValue] {
        let table = try TabSeparatedTable(data: try Data(contentsOf: URL(fileURLWithPath: path)), name: name)
        let metric = try table.column("metric", of: name)
        let value = try table.column("value", of: name)
        let optional = ["region", "reference", "term", "unit"].map { table.columns.firstIndex(of: $0) }
        return try table.rows.enumerated().map { n, row in
            func cell(_ k: Int) -> String? { optional[k].flatMap { row[$0] == "n/a" ? nil : row[$0] } }
            let number = TabSeparatedTable.number(row[value])
            guard number != nil || row[value] == "n/a" else {
                throw TaskResult.Failure.permanent(
                    "\(name), line \(n + 2): “\(row[value])” is not a number; write a number or n/a")
            }
            return MeasuredValue(
                region: cell(0), reference: cell(1), term: cell(2), metric: row[metric], value: number,
                unit: cell(3) ?? "1")
        }
    }
}
