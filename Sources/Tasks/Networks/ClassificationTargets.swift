import BIDS
import Kernels
import NIfTI
import Workflow

/// What a classification is trained on: a column of participants.tsv for people, or a table for the lesions of each
/// session.
struct ClassificationTargets {
    /// A class and the middle of the patch in world mm; nil that of the volume.
    struct Sample {
        var name: String
        var centre: SIMD3<Double>?
    }

    private let column: String
    private let covariates: (values: CohortCovariates, name: String)?

    init(_ environment: TaskEnvironment) throws {
        column = environment.text("target")
        guard !column.isEmpty else {
            covariates = nil
            return
        }
        let item = try environment.input("covariates")
        covariates = (try CohortCovariates(try item.readJSON(), name: item.input.name), item.input.name)
    }

    /// Why a session cannot take part, as the end of a sentence; nil where it can.
    func refusal(_ session: TrainingSession) throws -> String? {
        if let covariates {
            return level(of: session) == nil ? "\(covariates.name) has no \(column) for it" : nil
        }
        guard session.labels != nil, let targets = session.targets else {
            return "it lacks a map or a table of lesions"
        }
        let table = try targets.readTable()
        let column = try table.column("class", of: targets.input.name)
        return table.rows.contains { Self.isClass($0[column]) }
            ? nil : "\(targets.input.name) names no lesion with a class"
    }

    /// The samples of a session that takes part. Lesions without a class are left out with a warning.
    ///
    /// - Throws: a permanent failure for a lesion that the map does not have.
    func samples(_ session: TrainingSession, _ warnings: inout [String]) throws -> [Sample] {
        if covariates != nil { return level(of: session).map { [Sample(name: $0, centre: nil)] } ?? [] }
        guard let labels = session.labels, let targets = session.targets else { return [] }
        let centres = LesionCentres(try NIfTIFile.readLabelMap(labels.path))
        let table = try targets.readTable()
        let name = targets.input.name
        let (lesion, classColumn) = (try table.column("lesion", of: name), try table.column("class", of: name))
        var samples: [Sample] = []
        for row in table.rows {
            guard Self.isClass(row[classColumn]) else {
                warnings.append("Lesion \(row[lesion]) of \(name) has no class and is left out.")
                continue
            }
            guard let number = UInt16(row[lesion]), let centre = centres.worldMillimetres[number] else {
                throw TaskResult.Failure.permanent(
                    "\(name) speaks of lesion “\(row[lesion])”, which \(labels.input.name) does not have; correct the table"
                )
            }
            samples.append(Sample(name: row[classColumn], centre: centre))
        }
        return samples
    }

    /// A level as participants.tsv writes it.
    private func level(of session: TrainingSession) -> String? {
        guard let value = covariates?.values.values[session.subject]?[column], !value.isNull else { return nil }
        let text = value.stringValue ?? value.canonicalString
        return Self.isClass(text) ? text : nil
    }

    private static func isClass(_ text: String) -> Bool { !text.isEmpty && text != "n/a" }
}
