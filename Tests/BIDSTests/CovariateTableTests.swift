import BIDS
import Testing

@Suite struct CovariateTableTests {
    private func participants(
        _ text: String, sidecar: JSONValue? = nil
    ) throws -> (table: CovariateTable, problems: [DatasetProblem]) {
        let (file, lines) = try TabularFile.parse(text, path: "participants.tsv")
        let (table, rows) = try CovariateTable.make(
            file, kind: .participants, sidecar: sidecar, path: "participants.tsv")
        return (table, lines + rows)
    }

    @Test func findsTheTypesOfColumns() throws {
        let (table, problems) = try participants(
            """
            participant_id\tage\tvisits\tsex\tcode\tsmoker\tempty
            sub-01\t47.5\t1\tM\t1\ttrue\tn/a
            sub-02\tn/a\t2\tF\t2\tFalse\tn/a
            sub-03\t50\t3\tF\t1\ttrue\tn/a
            """, sidecar: ["code": ["Levels": ["1": "control", "2": "patient"], "Description": "group"]])
        #expect(problems.isEmpty)
        #expect(table.columns.map(\.name) == ["age", "visits", "sex", "code", "smoker", "empty"])
        #expect(table.columns.map(\.type) == [.number, .integer, .category, .category, .boolean, .text])
        #expect(table.columns[3].levels == ["1": "control", "2": "patient"])
        #expect(table.labels == ["01", "02", "03"])
        #expect(
            table.rows["02"] == [
                "visits": .integer(2), "sex": .category("F"), "code": .category("2"), "smoker": .boolean(false),
            ])
        #expect(table.rows["03"]?["age"] == .number(50))
    }

    @Test func unitsMakeAColumnNumericAndNameTheFieldThatIsNot() throws {
        let (table, problems) = try participants(
            "participant_id\tage\nsub-1\tforty\nsub-2\t41,5\nsub-3\t42\n", sidecar: ["age": ["Units": "year"]])
        #expect(table.columns[0].type == .integer)
        #expect(table.columns[0].units == "year")
        #expect(table.rows["1"]?["age"] == nil)
        #expect(table.rows["3"]?["age"] == .integer(42))
        #expect(problems.map(\.sentence).contains { $0.contains("line 2, column age: “forty” is not a number") })
        #expect(problems.map(\.sentence).contains { $0.contains("line 3") && $0.contains("decimal sign is a point") })
    }

    @Test func readsCappedAges() throws {
        let (table, problems) = try participants("participant_id\tage\nsub-1\t89+\nsub-2\t70\n")
        #expect(table.rows["1"]?["age"] == .integer(89))
        #expect(problems.count == 1)
        #expect(problems[0].sentence.contains("89+"))
        #expect(problems[0].severity == .warning)
    }

    @Test func aParticipantListedTwiceWithOtherValuesHasNoRow() throws {
        let (table, problems) = try participants(
            "participant_id\tage\tsex\nsub-1\t20\tM\nsub-2\t30\tF\nsub-1\t21\tM\nsub-1\t22\tM\n")
        #expect(table.rows["1"] == nil)
        #expect(table.labels == ["2"])
        let sentence = try #require(table.ambiguous["1"])
        #expect(sentence.contains("sub-1 twice, in lines 2 and 4, with different age;"))
        #expect(problems.map(\.subject) == ["1", "1"])
        #expect(problems.allSatisfy { $0.severity == .error })
    }

    @Test func aParticipantListedTwiceAlikeIsKept() throws {
        let (table, problems) = try participants("participant_id\tage\nsub-1\t20\nsub-1\t20\n")
        #expect(table.rows["1"]?["age"] == .integer(20))
        #expect(problems.map(\.severity) == [.warning])
    }

    @Test func acceptsLabelsWithoutPrefixAndSaysSo() throws {
        let (table, problems) = try participants("participant_id\tage\n01\t20\n")
        #expect(table.labels == ["01"])
        #expect(problems.count == 1)
        #expect(problems[0].sentence.contains("sub-01"))
    }

    @Test func otherSpellingsOfMissingAreReadAndReportedOnce() throws {
        let (table, problems) = try participants("participant_id\tage\nsub-1\tNA\nsub-2\tNaN\nsub-3\t3\nsub-4\t\n")
        #expect(table.columns[0].type == .integer)
        #expect(table.rows["1"]?["age"] == nil)
        #expect(problems.count == 1)
        #expect(problems[0].sentence.contains("line 2"))
    }

    @Test func aLevelThatTheSidecarDoesNotKnowIsReported() throws {
        let (_, problems) = try participants(
            "participant_id\tsex\nsub-1\tM\nsub-2\tf\n", sidecar: ["sex": ["Levels": ["M": "male", "F": "female"]]])
        #expect(problems.count == 1)
        #expect(problems[0].sentence.contains("“f” is not among the Levels"))
    }

    @Test func infinityAndHexadecimalAreNoNumbers() throws {
        let (table, _) = try participants("participant_id\tx\nsub-1\tinf\nsub-2\t0x10\nsub-3\t-\n")
        #expect(table.columns[0].type == .category)
    }

    @Test func manyDifferentTextsAreNotCategories() throws {
        let rows = (0..<40).map { "sub-\($0)\tnote \($0)" }.joined(separator: "\n")
        let (table, _) = try participants("participant_id\tnote\n" + rows)
        #expect(table.columns[0].type == .text)
    }

    @Test func linesOfTheWrongLengthAreLeftOutByLine() throws {
        let (table, problems) = try participants("\u{FEFF}participant_id\tage\r\nsub-1\t1\r\nsub-2\r\nsub-3\t3\r\n\r\n")
        #expect(table.labels == ["1", "3"])
        #expect(problems.count == 1)
        #expect(problems[0].sentence.contains("line 3 has 1 fields where the header names 2 columns"))
    }

    @Test(arguments: [
        ("", "empty"), ("id\tage\n1\t2\n", "no column participant_id (found: id, age)"),
        ("participant_id\tage\tage\n", "two columns are named age"), ("participant_id,age\nsub-1,3\n", "tabs"),
        ("participant_id\t\n", "no name"),
    ])
    func refusesTablesWithoutUsableHeader(text: String, reason: String) throws {
        let error = try #require(throws: BIDSError.self) { try participants(text) }
        #expect(error.description.contains(reason), "\(error)")
    }

    @Test func readsSessions() throws {
        let (file, _) = try TabularFile.parse("session_id\tpressure\nses-01\t112\nses-02\t113\n", path: "s.tsv")
        let (table, problems) = try CovariateTable.make(
            file, kind: .sessions, sidecar: nil, path: "s.tsv", subject: "9")
        #expect(problems.isEmpty)
        #expect(table.rows["02"] == ["pressure": .integer(113)])
    }

    @Test func tablesOfSessionsGetOneType() throws {
        func table(_ text: String) throws -> CovariateTable {
            let (file, _) = try TabularFile.parse(text, path: "s.tsv")
            return try CovariateTable.make(file, kind: .sessions, sidecar: nil, path: "s.tsv").0
        }
        let (columns, tables) = CovariateTable.unify([
            try table("session_id\tdose\tscore\tsite\tflag\nses-1\tn/a\t3\tA\ttrue\n"),
            try table("session_id\tdose\tscore\tsite\nses-1\t2\t3.5\t7\n"),
            try table("session_id\tdose\tnote\nses-1\t4\tok\n"),
        ])
        #expect(columns.map(\.name) == ["dose", "score", "site", "flag", "note"])
        #expect(columns.map(\.type) == [.integer, .number, .category, .boolean, .category])
        #expect(tables.map { $0.rows["1"]?["dose"] } == [nil, .integer(2), .integer(4)])
        #expect(tables.map { $0.rows["1"]?["score"] } == [.number(3), .number(3.5), nil])
        #expect(tables.map { $0.rows["1"]?["site"] } == [.category("A"), .category("7"), nil])
    }
}
