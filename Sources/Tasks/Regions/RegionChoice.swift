import Workflow

/// The regions that a step is about, by the parameter `regions`.
enum RegionChoice {
    /// - Parameters:
    ///   - name: of the file of the table, for messages.
    ///   - warnings: told of names that are of no region.
    /// - Throws: a permanent failure where no name is of any region.
    static func regions(
        _ environment: TaskEnvironment, of table: RegionTable, name: String, _ warnings: inout [String]
    ) throws -> [RegionTable.Region] {
        let wanted = environment.texts("regions")
        guard !wanted.isEmpty else { return table.regions }
        let (found, unknown) = table.matching(wanted)
        guard !found.isEmpty else {
            throw TaskResult.Failure.permanent(
                "\(name) has none of the regions \(wanted.joined(separator: ", ")) that step \(environment.request.step) is about; "
                    + "it has \(table.regions.map(\.name).joined(separator: ", ")): name some of these with “regions”")
        }
        if !unknown.isEmpty {
            warnings.append("\(name) has no region called \(unknown.joined(separator: ", ")).")
        }
        return found
    }
}
