import BIDS
import Foundation
import Workflow

/// How many rows of a kind people have in tables of their own, such as lesions of a class: what folds are balanced by.
enum FoldCounts {
    /// Reads the tables that `stratify` counts rows of.
    ///
    /// A person's number is the largest of the sessions. Whoever has no table, or none that can be read, has no number and is
    /// in a group apart: what is wrong with a table is said where a step reads it.
    /// - Returns: by what is counted, and by label.
    /// - Throws: `WorkflowError.folds` where nobody has a number, so that it must be the workflow that is mistaken.
    static func read(
        _ definition: FoldDefinition, cohort: Cohort
    ) throws(WorkflowError) -> [FoldDefinition.Stratification: [String: Int]] {
        var counts: [FoldDefinition.Stratification: [String: Int]] = [:]
        for item in definition.stratify {
            guard let counted = item.counted else { continue }
            var numbers: [String: Int] = [:]
            var reason: String?
            for subject in cohort.subjects {
                for session in subject.sessions where session.problem == nil {
                    var query = counted.table.query
                    if let other = counted.table.session { query.entities["ses"] = other }
                    let files = query.matches(in: counted.table.session == nil ? session.files : subject.files)
                    guard !files.isEmpty else { continue }
                    do {
                        let number = try files.reduce(0) { try $0 + rows(of: $1, item.column, counted.value) }
                        numbers[subject.label] = max(numbers[subject.label] ?? 0, number)
                    } catch {
                        reason = reason ?? "\(error)"
                    }
                }
            }
            guard !numbers.isEmpty else {
                throw .folds(
                    reason
                        ?? "stratify counts rows of tables with the suffix \(counted.table.query.suffixes.joined(separator: " or ")), "
                        + "and nobody has one; name the dataset that has them with --derivatives")
            }
            counts[item] = numbers
        }
        return counts
    }

    private struct Unreadable: Error, CustomStringConvertible { let description: String }

    private static func rows(of file: BIDSFile, _ column: String, _ value: String) throws -> Int {
        guard let data = FileManager.default.contents(atPath: file.absolutePath) else {
            throw Unreadable(description: "\(file.path) cannot be read; repair it")
        }
        let table = try TabularFile.parse(String(decoding: data, as: UTF8.self), path: file.path).0
        guard let place = table.columns.firstIndex(of: column) else {
            throw Unreadable(
                description: "\(file.path) has no column “\(column)” for stratify to count rows by"
                    + Suggestion.clause(for: column, among: table.columns))
        }
        return table.rows.count { $0.fields[place] == value }
    }
}
