import BIDS
import Testing
import Workflow

/// Who comes into which fold.
@Suite struct FoldAssignmentTests {
    private func cohort(_ labels: [String]) throws -> Cohort {
        Cohort(files: try labels.map { try FoldCohort.file("sub-\($0)_Chimap.nii.gz") })
    }

    private func assign(
        _ definition: FoldDefinition, _ people: FoldCohort
    ) throws -> FoldAssignment {
        try FoldAssignment(definition, cohort: people.cohort, participants: people.participants)
    }

    @Test(arguments: [(10, 2), (23, 5), (40, 10), (57, 7)])
    func foldsAreBalancedInTotalAndInEveryStratum(people: Int, count: Int) throws {
        for seed in 1...8 as ClosedRange<Int64> {
            let drawn = try FoldCohort(people: people, seed: UInt64(seed))
            let definition = FoldDefinition(
                count: .folds(count), seed: seed,
                stratify: [
                    .init(column: "group"), .init(column: "lesions", rule: .edges([1, 2, 4])), .init(column: "age"),
                ])
            let assignment = try assign(definition, drawn)
            #expect(Set(assignment.folds.keys) == Set(drawn.labels), "everybody is in one fold")
            #expect(assignment.sizes.reduce(0, +) == people)
            #expect(assignment.sizes.max()! - assignment.sizes.min()! <= 1, "\(assignment.sizes)")
            // By what the table says, not by what the assignment took it for.
            let rows = drawn.participants.rows
            func edge(_ value: CovariateValue?) -> Int {
                value?.doubleValue.map { number in [1, 2, 4].filter { $0 <= number }.count } ?? -1
            }
            guard case .array(let ages)? = assignment.document["stratify"]?[2]?["edges"] else {
                Issue.record("no edges: \(assignment.document)")
                return
            }
            #expect(ages.count == 2)
            let strata = Dictionary(grouping: drawn.labels) { label in
                let age = rows[label]?["age"]?.doubleValue.map { age in ages.filter { $0.doubleValue! <= age }.count }
                return "\(rows[label]?["group"]?.description ?? "n/a") \(edge(rows[label]?["lesions"])) \(age ?? -1)"
            }
            #expect(strata.count > 3)
            for (stratum, labels) in strata {
                var sizes = [Int](repeating: 0, count: count)
                for label in labels { sizes[assignment.folds[label]! - 1] += 1 }
                #expect(sizes.max()! - sizes.min()! <= 1, "\(stratum): \(sizes)")
            }
        }
    }

    /// Written down once: another machine, version or order of files must not deal otherwise.
    @Test func theSameSeedDealsTheSame() throws {
        let labels = ["01", "02", "03", "04", "05", "06", "07"]
        let definition = FoldDefinition(count: .folds(3), seed: 7)
        let one = try FoldAssignment(definition, cohort: try cohort(labels), participants: nil)
        let other = try FoldAssignment(definition, cohort: try cohort(labels.reversed()), participants: nil)
        #expect(one == other)
        #expect(
            one.document.canonicalString
                == #"{"folds":3,"people":{"01":2,"02":1,"03":2,"04":3,"05":1,"06":3,"07":1},"seed":7,"stratify":[]}"#)
        let reseeded = FoldDefinition(count: .folds(3), seed: 8)
        #expect(try FoldAssignment(reseeded, cohort: try cohort(labels), participants: nil).folds != one.folds)
    }

    @Test func oneIsLeftOut() throws {
        let drawn = try FoldCohort(people: 9, seed: 3)
        let assignment = try assign(
            FoldDefinition(count: .eachPerson, stratify: [.init(column: "group")], among: FoldCohort.amongLabelled),
            drawn)
        #expect(assignment.count == drawn.withLabels.count && drawn.withLabels.count < 9)
        #expect(assignment.sizes == Array(repeating: 1, count: assignment.count))
        #expect(assignment.folds.sorted { $0.value < $1.value }.map(\.key) == drawn.withLabels)
    }

    @Test func onlyWhoCanBeUsedIsInAFold() throws {
        var drawn = try FoldCohort(people: 20, seed: 4)
        let gone = try #require(drawn.withLabels.first)
        let index = try #require(drawn.cohort.subjects.firstIndex { $0.label == gone })
        for session in drawn.cohort.subjects[index].sessions.indices {
            drawn.cohort.subjects[index].sessions[session].problem = "a copy of another"
        }
        let assignment = try assign(FoldDefinition(count: .folds(2), among: FoldCohort.amongLabelled), drawn)
        #expect(Set(assignment.folds.keys) == Set(drawn.withLabels).subtracting([gone]))
        let broken = Cohort(
            files: try ["1", "2", "3"].map { label in
                var file = try FoldCohort.file("sub-\(label)_dseg.nii.gz")
                if label == "3" { file.problem = "is empty (0 bytes)" }
                return file
            })
        let two = try FoldAssignment(
            FoldDefinition(count: .eachPerson, among: FoldCohort.amongLabelled), cohort: broken, participants: nil)
        #expect(two.folds == ["1": 1, "2": 2])
    }

    /// Groups of numbers lie between values, as equal as repetitions let them be.
    @Test(
        arguments: [
            ([1, 2, 3, 4, 5, 6], 3, [3, 5]), ([0, 0, 0, 0, 1], 3, [1]), ([0, 0, 0, 0, 0, 1, 2, 3], 3, [1, 2]),
            ([0, 1], 3, [1]), ([2, 2, 2], 3, []), ([1, 1, 2, 2, 2, 2, 3, 3], 2, [2]), ([5, 4, 3, 2], 4, [3, 4, 5]),
        ] as [([Double], Int, [Double])])
    func numbersAreGrouped(values: [Double], groups: Int, edges: [Double]) throws {
        var participants = CovariateTable(kind: .participants)
        participants.columns = [CovariateColumn(name: "age", type: .number)]
        let labels = values.indices.map { "p\($0)" }
        for (label, value) in zip(labels, values) { participants.rows[label] = ["age": .number(value)] }
        let assignment = try FoldAssignment(
            FoldDefinition(count: .folds(2), stratify: [.init(column: "age", rule: .groups(groups))]),
            cohort: try cohort(labels), participants: participants)
        #expect(assignment.document["stratify"]?[0]?["edges"] == .array(edges.map { .number($0) }))
    }

    /// Numbers of rows are dealt as those of a column are; whoever has none is in a group apart.
    @Test func countsAreBalanced() throws {
        let labels = (0..<23).map { "p\($0)" }
        let item = FoldDefinition.Stratification(
            column: "class",
            counted: .init(table: DatasetQuery(query: BIDSQuery(suffixes: ["lesions"])), value: "rim"),
            rule: .edges([1, 2, 4]))
        let counts = Dictionary(uniqueKeysWithValues: labels.dropLast(3).enumerated().map { ($1, $0 % 6) })
        let assignment = try FoldAssignment(
            FoldDefinition(count: .folds(5), stratify: [item]), cohort: try cohort(labels), participants: nil,
            counts: [item: counts])
        func stratum(_ label: String) -> Int { counts[label].map { n in [1, 2, 4].filter { $0 <= n }.count } ?? 9 }
        for (group, members) in Dictionary(grouping: labels, by: stratum) {
            var sizes = [Int](repeating: 0, count: 5)
            for label in members { sizes[assignment.folds[label]! - 1] += 1 }
            #expect(sizes.max()! - sizes.min()! <= 1, "\(group): \(sizes)")
        }
        #expect(
            assignment.document["stratify"]?.canonicalString
                == #"[{"column":"class","counted":"rim","edges":[1,2,4]}]"#)
    }

    /// Whose file is damaged is in no fold, and is named with the reason; who has no such file is not.
    @Test func damagedFilesAreNoFiles() throws {
        var files = try ["01", "02", "03"].map { try FoldCohort.file("sub-\($0)_dseg.nii.gz") }
        files.append(try FoldCohort.file("sub-04_T1w.nii.gz"))
        files[1].problem = "sub-02_dseg.nii.gz is empty (0 bytes)"
        let cohort = Cohort(files: files)
        let among = [DatasetQuery(query: BIDSQuery(suffixes: ["dseg"]))]
        let assignment = try FoldAssignment(
            FoldDefinition(count: .eachPerson, among: among), cohort: cohort, participants: nil)
        #expect(assignment.folds == ["01": 1, "03": 2])
        #expect(assignment.reasons == ["02": "sub-02_dseg.nii.gz is empty (0 bytes)"])
        let error = #expect(throws: WorkflowError.self) {
            try FoldAssignment(FoldDefinition(count: .folds(3), among: among), cohort: cohort, participants: nil)
        }
        #expect(
            "\(try #require(error))"
                == "folds: 3 folds want at least 3 people, and there are 2 with a dseg image, besides 1 whose file is damaged: "
                + "sub-02_dseg.nii.gz is empty (0 bytes)")
    }

    @Test func whatCannotBeIsSaid() throws {
        let drawn = try FoldCohort(people: 4, seed: 1)
        func message(_ definition: FoldDefinition, table: Bool = true) -> String {
            do {
                _ = try FoldAssignment(
                    definition, cohort: drawn.cohort, participants: table ? drawn.participants : nil)
                return ""
            } catch { return "\(error)" }
        }
        #expect(
            message(FoldDefinition(count: .folds(5)))
                == "folds: 5 folds want at least 5 people, and there are 4; take fewer folds, or each-person, which leaves one "
                + "person out at a time")
        let nobody = [DatasetQuery(query: BIDSQuery(suffixes: ["bold"]))]
        #expect(
            message(FoldDefinition(count: .eachPerson, among: nobody))
                == "folds: a fold for each person wants at least 2 people, and there are 0 with a bold image; name the dataset "
                + "that has such files with --derivatives, or add people")
        #expect(
            message(FoldDefinition(count: .folds(2), stratify: [.init(column: "grup")]))
                == "folds: participants.tsv has no column “grup” to stratify by; did you mean group?")
        #expect(
            message(FoldDefinition(count: .folds(2), stratify: [.init(column: "group", rule: .edges([1]))]))
                .contains("is not of numbers"))
        #expect(
            message(FoldDefinition(count: .folds(2), stratify: [.init(column: "group")]), table: false)
                .contains("has no participants.tsv"))
    }
}
