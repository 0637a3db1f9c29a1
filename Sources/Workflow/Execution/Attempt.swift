import BIDS

/// What the attempt's process reads: `task.json` in its folder. Paths are absolute and readable.
package struct TaskRequest: Codable, Sendable {
    package struct StagedInput: Codable, Sendable {
        package var input: TaskInput
        package var path: String

        package init(input: TaskInput, path: String) { (self.input, self.path) = (input, path) }
    }

    package var task: TaskID
    package var attempt: Int32
    package var step: String
    package var kind: String
    package var kindVersion: Int
    package var context: TaskContext
    package var parameters: JSONValue
    package var inputs: [StagedInput]
    package var missing: [MissingInput]
    package var threads: Int
    package var memoryMiB: Int
    /// Folder for outputs; exists and is empty.
    package var outputFolder: String
    /// For the kind `command`: the program that the worker allows under the name asked for.
    package var commandPath: String?
    /// For kinds that keep their progress: a folder that outlives the attempt, of this very work (same kind, parameters
    /// and bytes) on this worker. What is found there was left by an earlier attempt.
    package var keptFolder: String?

    package init(
        task: TaskID, attempt: Int32, step: String, kind: String, kindVersion: Int, context: TaskContext,
        parameters: JSONValue, inputs: [StagedInput], missing: [MissingInput], threads: Int, memoryMiB: Int,
        outputFolder: String, commandPath: String? = nil, keptFolder: String? = nil
    ) {
        self.task = task
        self.attempt = attempt
        self.step = step
        self.kind = kind
        self.kindVersion = kindVersion
        self.context = context
        self.parameters = parameters
        self.inputs = inputs
        self.missing = missing
        self.threads = threads
        self.memoryMiB = memoryMiB
        self.outputFolder = outputFolder
        self.commandPath = commandPath
        self.keptFolder = keptFolder
    }
}

/// What the attempt's process leaves: `result.json` beside `task.json`, written aside and renamed when all is done.
package struct TaskResult: Codable, Sendable {
    package struct Output: Codable, Sendable {
        package var port: String
        /// File name inside the output folder.
        package var file: String
        /// e.g. `application/x-nifti`, `image/png`, `application/json`, `text/tab-separated-values`.
        package var mediaType: String
        /// Facts for readers downstream and for the exported sidecar. `{"type": "model", "card": {…}}` makes the output a
        /// model that everybody finds, with its model card.
        package var metadata: JSONValue?

        package init(port: String, file: String, mediaType: String, metadata: JSONValue? = nil) {
            (self.port, self.file, self.mediaType, self.metadata) = (port, file, mediaType, metadata)
        }
    }

    package struct Failure: Codable, Sendable, Error, CustomStringConvertible {
        /// `permanent`, `transient` or `outOfMemory`.
        package var outcome: AttemptOutcome
        /// One sentence: the file or step, what is wrong, what to do.
        package var message: String

        package init(outcome: AttemptOutcome, message: String) { (self.outcome, self.message) = (outcome, message) }
        package var description: String { message }
    }

    package var outputs: [Output]
    package var measurements: [MeasuredValue]
    /// Sentences worth showing beside a good result.
    package var warnings: [String]
    package var failure: Failure?

    package init(
        outputs: [Output] = [], measurements: [MeasuredValue] = [], warnings: [String] = [], failure: Failure? = nil
    ) {
        (self.outputs, self.measurements, self.warnings, self.failure) = (outputs, measurements, warnings, failure)
    }
}
