import BIDS
import Foundation
import Networks
import ONNX
import Workflow

/// Makes a model file of what `qsmflow models import` is given. Formats of other programs are converted here, and only
/// here.
enum ModelImport {
    /// - Parameters:
    ///   - description: file that says what an ONNX file does not: `ModelDescription`.
    ///   - folder: where a converted file is put.
    /// - Returns: path of a model file, the one given where it is one; and what the conversion changed.
    /// - Throws: `CommandFailure`, one sentence naming the file.
    static func modelFile(
        from path: String, description: String?, convertedIn folder: URL
    ) throws -> (path: String, notes: [String]) {
        guard URL(fileURLWithPath: path).pathExtension.lowercased() == "onnx" else {
            guard description == nil else {
                throw CommandFailure(
                    "\(path) has its own model card; --description is for ONNX files, which have none",
                    code: ExitStatus.badData)
            }
            try check(path)
            return (path, [])
        }
        guard let description else {
            throw CommandFailure(
                "\(path) is an ONNX file, which does not say what its images and classes are; describe them in JSON and give that with --description "
                    + "(see `qsmflow models import --help`)", code: ExitStatus.badData)
        }
        do {
            let told = try ModelDescription(path: description)
            let found = try ONNXImport(path: path)
            let digest = try FileDigest.sha256(of: path)
            var card = try told.card(
                found.network, size: found.inputSizes.first ?? nil,
                source: .imported(
                    file: URL(fileURLWithPath: path).lastPathComponent, digest: digest.hex, producer: found.producer),
                softwareVersion: Version.text)
            card.notes += found.notes
            let model = try Model(card: card, weights: found.weights)
            do {
                try model.checkWindow()
            } catch {
                throw CommandFailure("\(description): window: \(error)", code: ExitStatus.badData)
            }
            let target = folder.appending(path: "model.safetensors").path
            try model.write(to: target)
            return (target, found.notes)
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure("\(error)", code: ExitStatus.badData)
        }
    }

    /// Refuses what no step of a workflow could read: damaged files of any origin, and models of ours whose card, tensors
    /// and windows do not go together. Cards of other programs are theirs to understand.
    private static func check(_ path: String) throws {
        let card = try ModelFile(path: path).card
        do {
            _ = try SafetensorsFile(path: path)
            if card["network"] != nil { try Model(path: path).checkWindow() }
        } catch {
            let problem = "\(error)"
            throw CommandFailure(
                problem.hasPrefix("\(path): ") ? problem : "\(path): \(problem)", code: ExitStatus.badData)
        }
    }
}
