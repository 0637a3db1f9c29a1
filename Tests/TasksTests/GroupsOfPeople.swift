extension TaskFolder {
    /// What participants.tsv says of 01, 02 and so on in a column `group`.
    func addGroups(_ groups: [String]) throws {
        let rows = groups.enumerated().map { #"{"subject": "0\#($0 + 1)", "values": {"group": "\#($1)"}}"# }
        try add(
            "covariates",
            #"{"columns": [{"name": "group", "type": "text"}], "rows": [\#(rows.joined(separator: ","))]}"#,
            name: "covariates.json")
    }
}
