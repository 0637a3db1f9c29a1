import BIDS
import Foundation
import Postgres
import TestSupport
import Testing
import Workflow

@testable import Coordinator

@Suite("Store: index of datasets")
struct StoreDatasetTests {
    private func file(
        _ path: String, size: Int64 = 10, modified: Int64 = 1, sidecar: String = "s", metadata: JSONValue? = nil,
        problem: String? = nil
    ) throws -> BIDSFile {
        BIDSFile(
            root: "/data/study", path: path,
            stamp: FileStamp(sizeBytes: size, modifiedNanoseconds: modified, inode: Int64(path.utf8.count)),
            name: try BIDSName(parsing: String(path.split(separator: "/").last!)), datatype: "anat", dataset: .raw,
            metadata: metadata, sidecarStamp: sidecar, problem: problem)
    }

    private func scan(_ subject: String, _ files: [BIDSFile], sessions: CovariateTable? = nil) -> SubjectScan {
        var scan = SubjectScan(subject: subject)
        scan.changed = files
        scan.sessionTable = sessions
        return scan
    }

    private func summary(_ subjects: [String]) -> DatasetSummary {
        var summary = DatasetSummary(root: "/data/study", role: .raw)
        summary.description = DatasetDescription(name: "A study \0 with a zero", bidsVersion: "1.11.1")
        summary.subjects = subjects
        return summary
    }

    @Test func filesComeBackAsTheyWereScanned() async throws {
        let fixture = try await StoreFixture.make()
        let store = fixture.store
        let dataset = try await store.upsertDataset(path: "/data/study", role: .raw)
        #expect(try await store.upsertDataset(path: "/data/study", role: .raw) == dataset)
        let files = [
            try file("sub-01/anat/sub-01_T1w.nii.gz", metadata: ["EchoTime": .number(0.0025), "Units": "ppm"]),
            try file("sub-01/anat/sub-01_acq-ünïcode_T2w.nii.gz", problem: "it is empty"),
            try file("sub-02/anat/sub-02_T1w.nii.gz", metadata: ["note": "tab\tand \\ and \"quote\""]),
        ]
        try await store.apply([scan("01", Array(files[..<2])), scan("02", [files[2]])], to: dataset)
        try await store.finishScan(summary(["01", "02"]), problems: [], of: dataset)
        let stored = try await store.files(in: [dataset])
        #expect(stored.map(\.file) == files.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) })
        #expect(stored.allSatisfy { $0.dataset == dataset })
        let known = try await store.knownFiles(dataset)
        #expect(
            known
                == Dictionary(
                    uniqueKeysWithValues: files.map {
                        ($0.path, KnownFile(stamp: $0.stamp, sidecarStamp: $0.sidecarStamp))
                    }))
        let row = try #require(try await store.datasets().first)
        #expect(row.files == 3 && row.subjects == 2 && row.name == "A study \u{FFFD} with a zero")
        #expect(row.indexedAt != nil)
        #expect(try await store.dataset(path: "/data/study") == dataset)
        #expect(try await store.dataset(path: "/elsewhere") == nil)
    }

    @Test func digestsStayWithUnchangedBytes() async throws {
        let fixture = try await StoreFixture.make()
        let store = fixture.store
        let dataset = try await store.upsertDataset(path: "/data/study", role: .raw)
        let path = "sub-01/anat/sub-01_T1w.nii.gz"
        let original = try file(path)
        try await store.apply([scan("01", [original])], to: dataset)
        let digest = ArtifactDigest(of: Data("bytes".utf8))
        let digested = Store.DigestedFile(path: "/data/study/" + path, stamp: original.stamp, digest: digest)
        try await store.recordDigests([digested, digested])
        func stored() async throws -> String? { try await store.files(in: [dataset]).first?.file.digest }
        #expect(try await stored() == digest.hex)
        #expect(try await store.sources(of: digest).map(\.path) == ["/data/study/" + path])
        #expect(
            try await store.knownDigests([(path: "/data/study/" + path, stamp: original.stamp)])
                == ["/data/study/" + path: digest])

        // Only a sidecar changed: the bytes are the same.
        try await store.apply([scan("01", [try file(path, sidecar: "t")])], to: dataset)
        #expect(try await stored() == digest.hex)
        // The file changed.
        let changed = try file(path, modified: 2, sidecar: "t")
        try await store.apply([scan("01", [changed])], to: dataset)
        #expect(try await stored() == nil)
        #expect(try await store.knownDigests([(path: "/data/study/" + path, stamp: changed.stamp)]) == [:])
        // A digest of the old version must not be taken for the new one's.
        try await store.recordDigests([digested])
        #expect(try await stored() == nil)
    }

    @Test func whatIsGoneIsForgotten() async throws {
        let fixture = try await StoreFixture.make()
        let store = fixture.store
        let dataset = try await store.upsertDataset(path: "/data/study", role: .raw)
        var visits = CovariateTable(kind: .sessions)
        visits.columns = [CovariateColumn(name: "age", type: .number)]
        visits.labels = ["pre"]
        visits.rows = ["pre": ["age": .number(40.5)]]
        try await store.apply(
            [
                scan("01", [try file("sub-01/anat/sub-01_T1w.nii.gz")], sessions: visits),
                scan("02", [try file("sub-02/anat/sub-02_T1w.nii.gz")], sessions: visits),
            ], to: dataset)
        try await store.finishScan(summary(["01", "02"]), problems: [], of: dataset)
        #expect(try await store.sessionRows(dataset) == ["01": visits, "02": visits])
        var later = summary(["02"])
        later.removed = ["sub-01/anat/sub-01_T1w.nii.gz"]
        let problem = DatasetProblem(.warning, path: "participants.tsv", "a \0 warning")
        try await store.finishScan(later, problems: [problem], of: dataset)
        #expect(try await store.files(in: [dataset]).map(\.file.path) == ["sub-02/anat/sub-02_T1w.nii.gz"])
        #expect(try await store.sessionRows(dataset) == ["02": visits])
        #expect(try await store.problems(of: dataset).count == 1)
    }

    @Test func covariatesKeepTheirTypes() async throws {
        let fixture = try await StoreFixture.make()
        let store = fixture.store
        let dataset = try await store.upsertDataset(path: "/data/study", role: .raw)
        var people = CovariateTable(kind: .participants)
        people.columns = [
            CovariateColumn(name: "visits", type: .integer),
            CovariateColumn(name: "age", type: .number, description: "Age", units: "years"),
            CovariateColumn(name: "treated", type: .boolean),
            CovariateColumn(name: "sex", type: .category, levels: ["F": "female", "M": "male"]),
            CovariateColumn(name: "note", type: .text),
        ]
        people.labels = ["02", "01"]
        people.rows = [
            "02": [
                "visits": .integer(3), "age": .number(41), "treated": .boolean(true), "sex": .category("F"),
                "note": .text("12"),
            ], "01": ["age": .number(0.1)],
        ]
        people.ambiguous = ["03": "participants.tsv lists sub-03 twice"]
        var described = summary(["01", "02", "03"])
        described.participants = people
        try await store.finishScan(described, problems: [], of: dataset)
        let stored = try #require(try await store.participants(dataset))
        #expect(stored == people)
        #expect(try await store.covariateColumns(dataset).participants == people.columns)
        // The next scan finds no table any more.
        try await store.finishScan(summary(["01", "02", "03"]), problems: [], of: dataset)
        #expect(try await store.participants(dataset) == nil)
    }
}
