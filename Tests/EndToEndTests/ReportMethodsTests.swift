import BIDS
import Foundation
import Testing
import Workflow

@testable import qsmflow

/// What a report says of how a run was made.
@Suite struct ReportMethodsTests {
    @Test func methodsNameTheirSources() throws {
        let text = try String(contentsOfFile: Program.workflow, encoding: .utf8)
        let definition = try #require(
            WorkflowFile.parse(text, path: Program.workflow, atlases: ["a": "/a", "b": "/b"]).definition)
        let paragraphs = ReportMethods.paragraphs(definition)
        #expect(paragraphs.contains { $0.contains("each of 2 atlases") })
        let citations = ReportMethods.citations(definition).map { "\($0)" }
        // Every mark in the prose has its reference.
        for mark in ["Smith", "Mattes", "Avants", "Benjamini", "Iglewicz", "Artaechevarria"] {
            #expect(paragraphs.contains { $0.contains("[\(mark)") }, "\(mark)")
            #expect(citations.contains { $0.contains("\(mark)") }, "\(mark)")
        }
        #expect(!citations.contains { $0.contains("susceptibility atlas") })
    }

    /// Whose network it is, and what of its recipe is not theirs, for every training of a workflow.
    @Test(
        arguments: [
            ("deepmir", ["Rashid 2021"], 1), ("qsmrim", ["Zhang 2022", "Breiman 2001"], 2),
            ("qnet", ["Zabihi 2021"], 3),
            ("subcortical-network", ["Ronneberger 2015"], 1),
        ])
    func methodsNameTheNetworks(workflow: String, marks: [String], trainings: Int) throws {
        let path = Program.root + "/workflows/\(workflow).yaml"
        let parsed = WorkflowFile.parse(
            try String(contentsOfFile: path, encoding: .utf8), path: path, atlases: ["a": "/a"])
        let definition = try #require(parsed.definition, "\(parsed.problems)")
        let paragraphs = ReportMethods.paragraphs(definition)
        #expect(paragraphs.count { $0.contains(" trained a ") || $0.contains(" trained the ") } == trainings)
        let citations = ReportMethods.citations(definition).map { "\($0)" }
        for mark in marks {
            #expect(paragraphs.contains { $0.contains("[\(mark)") }, "\(mark)")
            let author = mark.split(separator: " ")[0]
            #expect(citations.contains { $0.contains(author) }, "\(mark)")
        }
        let notes = definition.steps.first { $0.kind == "network.train" }?.parameters["notes"]?.arrayValue ?? []
        #expect(!notes.isEmpty)
        for note in notes.compactMap(\.stringValue) { #expect(paragraphs.contains { $0.contains(note) }, "\(note)") }
    }

    /// Whether anybody was judged by what had not seen them is said where models are trained fold by fold, and nowhere else.
    @Test(
        arguments: [
            ("evaluate-regions", [:], "Nothing was trained over the folds"),
            (
                "qsmrim", [:],
                "5 folds at random (seed 1), each with its share of number of rows with class “rim”. A model of step "
                    + "train or forest judges only people that it was not trained on"
            ),
            ("deepmir", [:], "Every person was left out once. A model of step train judges only"),
            ("qsmrim", ["train": false, "models": "rims", "forest_models": "forests"], nil),
        ] as [(String, [String: JSONValue], String?)])
    func methodsSayWhoWasTrainedOn(workflow: String, parameters: [String: JSONValue], sentence: String?) throws {
        let path = Program.root + "/workflows/\(workflow).yaml"
        let parsed = WorkflowFile.parse(
            try String(contentsOfFile: path, encoding: .utf8), path: path, parameters: parameters)
        let definition = try #require(parsed.definition, "\(parsed.problems)")
        let about = ReportMethods.paragraphs(definition).filter {
            $0.contains("trained on") || $0.contains("over the folds")
        }
        #expect(about.count == (sentence == nil ? 0 : 1))
        if let sentence { #expect(about.first?.contains(sentence) == true, "\(about)") }
    }

    private func definition(of workflow: String, _ parameters: [String: JSONValue]) throws -> WorkflowDefinition {
        let path = Program.root + "/workflows/\(workflow).yaml"
        let parsed = WorkflowFile.parse(
            try String(contentsOfFile: path, encoding: .utf8), path: path, parameters: parameters, atlases: ["a": "/a"])
        let definition = try #require(parsed.definition, "\(parsed.problems)")
        return definition
    }

    /// The grid that an atlas's labels are brought to is that of the step's target.
    @Test(
        arguments: [
            ("subcortical", [:], "to the grid of the susceptibility map in"),
            ("deepmir", ["locate": true], "to the grid of the T2*-weighted image in"),
            ("volumes", [:], "to the grid of the T1-weighted image in"),
        ] as [(String, [String: JSONValue], String)])
    func labelsNameTheirGrid(workflow: String, parameters: [String: JSONValue], words: String) throws {
        let definition = try definition(of: workflow, parameters)
        let about = ReportMethods.paragraphs(definition).filter { $0.hasPrefix("Atlas regions were brought") }
        #expect(about.count == 1 && about.first?.contains(words) == true, "\(about)")
    }

    /// Onto what images were brought: the map, or an image that a magnitude stands in for, or another contrast.
    @Test(
        arguments: [
            ("subcortical", [:], "T1-weighted image was aligned rigidly to the space of the susceptibility map by"),
            (
                "deepmir",
                [
                    "second": ["bids": ["suffix": "T2w", "dataset": "raw"]], "register_second": true,
                    "channels": [
                        ["modality": "SWI", "normalise": "zscore_padded"],
                        ["modality": "T2w", "normalise": "zscore_padded"],
                    ],
                ], "The T2-weighted image was aligned rigidly to the T2*-weighted image by"
            ),
        ] as [(String, [String: JSONValue], String)])
    func registrationsNameTheirTarget(workflow: String, parameters: [String: JSONValue], sentence: String) throws {
        let definition = try definition(of: workflow, parameters)
        let about = ReportMethods.paragraphs(definition).filter { $0.contains("aligned rigidly") }
        #expect(about.count == 1 && about.first?.contains(sentence) == true, "\(about)")
    }
}
