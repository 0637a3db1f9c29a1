import ArgumentParser
import BIDS
import CoordinatorClient
import Foundation
import Wire
import Workflow

struct ModelsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models",
        abstract: "List, import, export, inspect, name and remove models: networks with their weights.",
        discussion: """
            A model is known by the SHA-256 of its bytes, its digest; six digits of it are enough where no other model \
            begins with them. It may have a name, which stands for one model at a time and may move to a newer one. What \
            a run trains is a model by itself and stays as long as the results of the run; what is named or imported \
            stays until it is removed.

            A workflow takes a model with {model: NAME}, {model: DIGEST} or {model: path/to/file.safetensors}. A run \
            keeps to the model that the name stood for when it was submitted. A name may also stand for the models that a \
            step trained over the folds of a cross-validation, an ensemble: see `qsmflow models name-folds`.

            A model file is a safetensors file with a card: JSON text under the key qsmflow.card of its metadata that \
            says what the network is, takes and gives, what it was trained on and how well it did.
            """,
        subcommands: [
            List.self, Import.self, Export.self, Inspect.self, Name.self, NameFolds.self, Remove.self, Names.self,
        ],
        defaultSubcommand: List.self)

    fileprivate static let moving: ArgumentHelp =
        "Take the name away from the model that has it, and from this one the name it has. Runs keep what they were given."

    /// Names of models, of a coordinator that is at work.
    static let names = CompletionKind.shellCommand("qsmflow models names 2>/dev/null")
    /// And model files of the folder that one is in.
    static let namesAndFiles = CompletionKind.shellCommand(
        "qsmflow models names 2>/dev/null; ls -d -- *.safetensors *.onnx 2>/dev/null")
    static let files = CompletionKind.file(extensions: ["safetensors"])
    /// What can be imported.
    static let sources = CompletionKind.file(extensions: ["safetensors", "onnx"])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the models, newest first.")
        @Option(name: .long, help: "Only those whose name begins so.", completion: ModelsCommand.names)
        var name: String?
        @Option(name: .long, help: "Show at most this many.") var limit = 1000
        @Option(name: .long, help: "Only models after the one of this digest, to go on where a list ended.")
        var after: String?
        @OptionGroup var output: JSONOption
        @OptionGroup var connection: ConnectionOptions

        func validate() throws {
            guard (1...10_000).contains(limit) else { throw ValidationError("--limit is from 1 to 10000.") }
        }

        func run() async throws {
            try await connection.withClient { client in
                // As everywhere, some digits do.
                var last: ArtifactDigest?
                if let after { last = try await client.model(after).summary.digest }
                let models = try await client.models(name: name, after: last, limit: limit)
                if try output.printed(models.map { ModelJSON($0) }) { return }
                var table = TextTable(
                    ["digest", "name", "architecture", "inputs", "outputs", "source", "size", "known since"],
                    rightAligned: [6])
                for model in models {
                    table.add([
                        model.digest.abbreviated, model.name ?? "", model.architecture ?? "",
                        ModelText.words(model.inputs),
                        ModelText.words(model.outputs), ModelText.source(model), Durations.text(bytes: model.sizeBytes),
                        String(model.createdAt.prefix(19)),
                    ])
                }
                table.printed()
                if models.isEmpty { Console.note("There is no model yet; `qsmflow models import FILE` brings one.") }
                for (group, count) in ModelText.groups(models) {
                    Console.note("\(group) stands for the models of \(Counted.text(count, "fold", "folds")).")
                }
                if models.count == limit, let last = models.last { Console.note("More: --after \(last.digest)") }
            }
        }
    }

    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Bring a model file (safetensors with a card) or an ONNX file into the store.",
            discussion: """
                Importing the same file again changes nothing but the name. Prints the digest.

                An ONNX file is converted. It does not say what its images are: describe them in a JSON file, e.g.

                  {"name": "nuclei", "classes": ["background", "caudate", "putamen"],
                   "channels": [{"modality": "Chimap", "normalise": "clip", "range": [-0.25, 0.25]}],
                   "spacing_mm": [1, 1, 1], "orientation": "RAS", "window": [96, 96, 96]}

                normalise is none, clip, zscore, zscore_padded, zscore_mask or percentiles. Further members: task (segmentation or \
                classification), output (softmax, sigmoid or probabilities), other_grids (resample or refuse), \
                architecture, licence, notes.
                """)
        @Argument(help: "Model file.", completion: ModelsCommand.sources) var file: String
        @Option(
            name: .long, help: "JSON file that describes the images and classes of an ONNX file.", completion: .file())
        var description: String?
        @Option(name: .long, help: "Name for it: up to 100 letters, digits, “.”, “_” and “-”.") var name: String?
        @Flag(name: .long, help: ModelsCommand.moving)
        var move = false
        @OptionGroup var output: JSONOption
        @OptionGroup var connection: ConnectionOptions

        func validate() throws {
            if move, name == nil { throw ValidationError("--move moves a name: give it with --name.") }
        }

        func run() async throws {
            let scratch = FileManager.default.temporaryDirectory.appending(path: "qsmflow-import-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
            // What is left behind is in the folder of temporary files.
            defer { try? FileManager.default.removeItem(at: scratch) }
            let (path, notes) = try ModelImport.modelFile(
                from: CohortSelection.absolute(file), description: description.map(CohortSelection.absolute),
                convertedIn: scratch)
            for note in notes { Console.note(note) }
            let card = try ModelFile(path: path).card
            let read = try FileDigest.sha256(of: path)
            guard let digest = ArtifactDigest(hex: read.hex) else {
                preconditionFailure("\(read.hex) is the SHA-256 of a file")
            }
            let request = ModelRequest(name: name, moveName: move ? true : nil, card: card)
            try await connection.withClient(creating: true) { client in
                let model: ModelDetail
                do {
                    model = try await client.putModel(digest, request)
                } catch let error as APIError where error.code == "missing_artifact" {
                    // What can be refused was refused before the bytes travel.
                    try await client.upload(
                        path, digest: digest, sizeBytes: read.stamp.sizeBytes, mediaType: ModelFile.mediaType)
                    model = try await client.putModel(digest, request)
                }
                if try output.printed(ModelJSON(model)) { return }
                for move in model.moves { Console.note(move) }
                Console.print("\(model.summary.digest)")
            }
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a model to a file, byte for byte as it was trained or imported.")
        @Argument(help: "Name or digest.", completion: ModelsCommand.names) var model: String
        @Argument(help: "File to write, e.g. deepmir.safetensors.", completion: ModelsCommand.files) var file: String
        @Flag(name: .long, help: "Write it in place of a file that is there.") var replace = false
        @OptionGroup var output: JSONOption
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            let path = CohortSelection.absolute(file)
            guard replace || !FileManager.default.fileExists(atPath: path) else {
                throw CommandFailure("\(path) is there already; give another name, or --replace")
            }
            try await connection.withClient { client in
                let summary = try await client.model(model).summary
                let aside = "\(path).part-\(ProcessInfo.processInfo.processIdentifier)"
                // Checked against the digest on the way; nothing is left of one that was wrong.
                try await client.download(summary.digest, to: aside)
                guard rename(aside, path) == 0 else {
                    let reason = String(cString: strerror(errno))
                    unlink(aside)
                    throw CommandFailure("\(path) cannot be written: \(reason); check the folder and its rights")
                }
                if try output.printed(ModelJSON(summary)) { return }
                Console.print(
                    "\(path): model \(summary.digest.abbreviated), \(Durations.text(bytes: summary.sizeBytes))")
            }
        }
    }

    struct Inspect: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what is known of a model, or what a model file holds.",
            discussion: """
                A word with a / or the extension .safetensors or .onnx is a file, and no coordinator is asked. Of an ONNX \
                file it shows what an import would take of it: inputs, outputs and their channels. --json prints the \
                whole card, with every layer and every file that was trained on.
                """)
        @Argument(help: "Name or digest, or a model file.", completion: ModelsCommand.namesAndFiles) var model: String
        @OptionGroup var output: JSONOption
        @OptionGroup var connection: ConnectionOptions

        private struct RegisteredModel: Encodable {
            var summary: ModelJSON
            var card: JSONValue
        }

        private struct FileContent: Encodable {
            var card: JSONValue
            var tensors: [ModelFile.Tensor]
        }

        func run() async throws {
            if ONNXContent.isNamed(by: model) {
                let content = try ONNXContent(path: CohortSelection.absolute(model))
                if try output.printed(content) { return }
                return Console.print(content.text)
            }
            if ModelName.isPath(model) {
                let file = try ModelFile(path: CohortSelection.absolute(model))
                if try output.printed(FileContent(card: file.card, tensors: file.tensors)) { return }
                let numbers = file.tensors.reduce(0) { $0 + $1.count }
                Console.print("\(model): \(Counted.text(file.tensors.count, "tensor", "tensors")), \(numbers) numbers")
                return Console.print(ModelCardText(file.card).text)
            }
            try await connection.withClient { client in
                let detail = try await client.model(model)
                if try output.printed(RegisteredModel(summary: ModelJSON(detail), card: detail.card)) { return }
                let summary = detail.summary
                Console.print("model \(summary.digest)")
                if let name = summary.name { Console.print("name  \(name)") }
                Console.print("from  \(ModelText.source(summary)), \(summary.createdAt)")
                Console.print("size  \(Durations.text(bytes: summary.sizeBytes))")
                Console.print(ModelCardText(detail.card).text)
            }
        }
    }

    struct Name: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a model a name, such as one that a run trained.",
            discussion: "A model with a name stays when the results of its run go.")
        @Argument(help: "Name or digest that it has.", completion: ModelsCommand.names) var model: String
        @Argument(help: "Name that it gets.", completion: ModelsCommand.names) var name: String
        @Flag(name: .long, help: ModelsCommand.moving)
        var move = false
        @OptionGroup var output: JSONOption
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.withClient { client in
                let digest = try await client.model(model).summary.digest
                let named = try await client.putModel(digest, ModelRequest(name: name, moveName: move ? true : nil))
                if try output.printed(ModelJSON(named)) { return }
                for move in named.moves { Console.note(move) }
                Console.print("\(name) is model \(digest).")
            }
        }
    }

    struct NameFolds: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "name-folds",
            abstract: "Name the models that a run trained over the folds of a cross-validation, all at once.",
            discussion: """
                The model of fold 2 is called NAME.fold-2 then, and {model: NAME} in a workflow stands for all of them: an \
                ensemble whose probabilities are averaged.
                """)
        @Argument(help: ArgumentHelp("Number of the run.", valueName: "run")) var number: RunID
        @Argument(help: "Name that stands for all of them.", completion: ModelsCommand.names) var name: String
        @Option(name: .long, help: "The step that trained them, where several have.") var step: String?
        @Flag(name: .long, help: "Take the names away from the models that have them. Runs keep what they were given.")
        var move = false
        @OptionGroup var output: JSONOption
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.withClient { client in
                let models = try await client.nameFolds(
                    of: number, FoldNaming(name: name, step: step, moveName: move ? true : nil))
                if try output.printed(models) { return }
                for model in models { Console.print("\(model.name ?? "") is model \(model.digest).") }
                Console.print("\(name) stands for all \(models.count).")
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a model's name away, and an imported model with it.",
            discussion: """
                Of a name that stands for the models of folds, all of them lose theirs. What a run trained stays with the results of the run, without its name. Bytes that no run needs are freed \
                by `qsmflow gc`.
                """)
        @Argument(help: "Name or digest.", completion: ModelsCommand.names) var model: String
        @OptionGroup var output: JSONOption
        @OptionGroup var connection: ConnectionOptions

        private struct Outcome: Encodable {
            /// Nil of a name that stood for several.
            var digest: ArtifactDigest?
            var status: String
        }

        func run() async throws {
            try await connection.withClient { client in
                let summary: ModelSummary
                do {
                    summary = try await client.model(model).summary
                } catch let error as APIError where error.code == "model_of_folds" {
                    _ = try await client.removeModel(model)
                    if try output.printed(Outcome(status: "unnamed")) { return }
                    return Console.print(
                        "The models that \(model) stood for have no names any more; they stay with the results of their run."
                    )
                }
                let isGone = try await client.removeModel(model)
                if try output.printed(Outcome(digest: summary.digest, status: isGone ? "removed" : "unnamed")) {
                    return
                }
                Console.print(
                    isGone
                        ? "Model \(summary.digest.abbreviated) is removed; runs that were given it keep it, else `qsmflow gc` "
                            + "frees its \(Durations.text(bytes: summary.sizeBytes)) when they have not been used for a week."
                        : "Model \(summary.digest.abbreviated) has no name any more; it stays with the results of "
                            + "\(summary.task.map { "run \($0.run)" } ?? "its run").")
            }
        }
    }

    /// For shells that complete names: those of a coordinator that is at work, and nothing when none is.
    struct Names: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the names of the models, one per line.", shouldDisplay: false)
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            let isAtWork =
                connection.coordinator != nil || ConnectionOptions.variable("QSMFLOW_COORDINATOR") != nil
                || connection.stateFolder.announced() != nil
            guard isAtWork else { return }
            try await connection.withClient { client in
                let models = try await client.models(limit: 10_000)
                for model in models {
                    if let name = model.name { Console.print(name) }
                }
                for (group, _) in ModelText.groups(models) { Console.print(group) }
            }
        }
    }
}

/// What is known of models, in few words.
enum ModelText {
    /// `trained by 3.17 on synthetic data`.
    static func source(_ model: ModelSummary) -> String {
        let by = model.task.map { "\(model.source.rawValue) by \($0)" } ?? model.source.rawValue
        // Of datasets that do not say, nothing is said.
        guard let data = model.data, DataKind(rawValue: data) != .unstated else { return by }
        return "\(by) on \(data) data"
    }

    /// Names that stand for the models of several folds, and how many.
    static func groups(_ models: [ModelSummary]) -> [(name: String, count: Int)] {
        var counts: [String: Int] = [:]
        for model in models {
            guard let name = model.name, let count = model.foldCount,
                let dot = name.range(of: ".fold-", options: .backwards)
            else { continue }
            counts[String(name[..<dot.lowerBound])] = count
        }
        return counts.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// `T1w, Chimap` of a list of texts or of objects with names; anything else as JSON.
    static func words(_ value: JSONValue?) -> String {
        guard let value else { return "" }
        let names = value.arrayValue?.map { $0.stringValue ?? $0["name"]?.stringValue ?? $0.canonicalString }
        let text = names?.joined(separator: ", ") ?? value.stringValue ?? value.canonicalString
        return text.count > 60 ? text.prefix(59) + "…" : text
    }
}
