import BIDS
import Foundation
import Postgres
import TestSupport
import Testing
import Wire
import Workflow

@testable import Coordinator

@Suite("Index of datasets")
struct ResultsIndexTests {
    /// A dataset on disk and its place in a fresh index.
    private struct Place {
        let root: String
        let fixture: ResultsFixture
        let dataset: DatasetID
        var store: Store { fixture.store }

        init() async throws {
            root = NSTemporaryDirectory() + "index-tests-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
            fixture = try await ResultsFixture()
            dataset = try await fixture.store.upsertDataset(
                path: root, name: "test", role: .raw, bidsVersion: "1.11.1", description: ["Name": "test"])
            try write("dataset_description.json", #"{"Name": "test", "BIDSVersion": "1.11.1"}"#)
        }

        func write(_ path: String, _ text: String) throws {
            let url = URL(fileURLWithPath: root + "/" + path)
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url)
        }

        func index() async throws -> IndexChange {
            let known = try await store.knownFiles(dataset)
            let scan = try DatasetScanner(root: root, parallelism: 1).scan(known: known)
            return try await store.apply(scan, to: dataset)
        }

        func remove() { try? FileManager.default.removeItem(atPath: root) }  // a leftover in /tmp harms nobody
    }

    @Test("what was scanned is what is read back")
    func roundTrip() async throws {
        let place = try await Place()
        defer { place.remove() }
        try place.write("sub-01/anat/sub-01_T1w.nii.gz", "image")
        try place.write("sub-01/anat/sub-01_Chimap.nii.gz", "map")
        try place.write("sub-01/anat/sub-01_Chimap.json", #"{"Units": "ppm", "Note": "tab\t“ü” \u0000"}"#)
        try place.write("sub-ü1/ses-2/anat/sub-ü1_ses-2_run-02_T1w.nii.gz", "other image")
        let change = try await place.index()
        #expect(change == IndexChange(files: 3, added: 3, changed: 0, removed: 0, subjects: 2, sessions: 1))
        let scan = try DatasetScanner(root: place.root, parallelism: 1).scan()
        let files = try await place.store.files(in: [place.dataset])
        func key(_ file: BIDSFile) -> String { file.path }
        for (stored, scanned) in zip(files, scan.changed.sorted { key($0) < key($1) }) {
            #expect(stored.root == place.root && stored.path == scanned.path && stored.stamp == scanned.stamp)
            #expect(stored.name.fileName == scanned.name.fileName && stored.datatype == "anat")
            #expect(stored.dataset == .raw && stored.sidecarStamp == scanned.sidecarStamp)
            #expect(stored.metadata?["Units"] == scanned.metadata?["Units"])
        }
        // A character that the database cannot hold is replaced, and costs nobody the file.
        let map = try #require(files.first { $0.name.suffix == "Chimap" })
        #expect(map.metadata?["Note"]?.stringValue == "tab\t“ü” \u{fffd}")
        #expect(try await place.store.files(in: [place.dataset], subjects: ["ü1"]).map(\.subject) == ["ü1"])
        #expect(try await place.store.datasets().map(\.files) == [3])
    }

    @Test("an unchanged dataset changes nothing; files that change or go are noticed")
    func incremental() async throws {
        let place = try await Place()
        defer { place.remove() }
        for n in 1...4 { try place.write("sub-0\(n)/anat/sub-0\(n)_T1w.nii.gz", "image \(n)") }
        _ = try await place.index()
        #expect(
            try await place.index() == IndexChange(files: 4, added: 0, changed: 0, removed: 0, subjects: 4, sessions: 0)
        )
        try place.write("sub-02/anat/sub-02_T1w.nii.gz", "a longer image")
        try FileManager.default.removeItem(atPath: place.root + "/sub-03")
        try place.write("sub-05/anat/sub-05_T1w.nii.gz", "new")
        #expect(
            try await place.index() == IndexChange(files: 4, added: 1, changed: 1, removed: 1, subjects: 4, sessions: 0)
        )
        let paths = try await place.store.files(in: [place.dataset]).map(\.path)
        #expect(paths == [1, 2, 4, 5].map { "sub-0\($0)/anat/sub-0\($0)_T1w.nii.gz" })
    }

    @Test("a digest lasts while its file does, whatever becomes of the sidecar")
    func digests() async throws {
        let place = try await Place()
        defer { place.remove() }
        let image = "sub-01/anat/sub-01_T1w.nii.gz"
        try place.write(image, "image")
        _ = try await place.index()
        let digest = try FileDigest.sha256(of: place.root + "/" + image)
        #expect(try await place.store.undigested([place.dataset]).map(\.path) == [image])
        try await place.store.recordDigests([SourceDigest(path: place.root + "/" + image, digest: digest)])
        func stored() async throws -> String? { try await place.store.files(in: [place.dataset]).first?.digest }
        #expect(try await stored() == digest.hex)
        #expect(try await place.store.undigested([place.dataset]).isEmpty)
        #expect(
            try await place.store.digests(ofPaths: [place.root + "/" + image, "/none"]) == [
                place.root + "/" + image: digest
            ])

        try place.write("sub-01/anat/sub-01_T1w.json", #"{"EchoTime": 0.003}"#)
        #expect(try await place.index().changed == 1)
        #expect(try await stored() == digest.hex)

        try place.write(image, "another image")
        #expect(try await place.index().changed == 1)
        #expect(try await stored() == nil)
        // What was read before the change must not be taken for what lies there now.
        try await place.store.recordDigests([SourceDigest(path: place.root + "/" + image, digest: digest)])
        #expect(try await stored() == nil)
    }

    @Test("one place has one digest; the same bytes may have many places")
    func sources() async throws {
        let place = try await Place()
        defer { place.remove() }
        let stamp = FileStamp(sizeBytes: 1, modifiedNanoseconds: 2, inode: 3)
        let (a, b) = (String(repeating: "0a", count: 32), String(repeating: "f9", count: 32))
        let store = place.store
        try await store.recordDigests([
            SourceDigest(path: "/x", digest: FileDigest(hex: a, stamp: stamp)),
            SourceDigest(path: "/y", digest: FileDigest(hex: a, stamp: stamp)),
        ])
        try await store.recordDigests([SourceDigest(path: "/x", digest: FileDigest(hex: b, stamp: stamp))])
        let found = try await store.digests(ofPaths: ["/x", "/y"])
        #expect(found.mapValues(\.hex) == ["/x": b, "/y": a])
        let rows = try await place.fixture.rows("SELECT count(*) FROM qsmflow.source_file")
        #expect(rows == [["2"]])
    }

    @Test("covariates keep their types; sessions of many people have one type per column")
    func covariates() async throws {
        let place = try await Place()
        defer { place.remove() }
        try place.write(
            "participants.tsv",
            """
            participant_id\tage\tsex\thanded\tnote
            sub-02\t30.5\tF\ttrue\tn/a
            sub-01\t41\tM\tfalse\tn/a
            sub-03\tn/a\tF\tn/a\tn/a
            sub-04\t20\tF\ttrue\tn/a
            sub-04\t25\tF\ttrue\tn/a\n
            """)
        try place.write("sub-01/sub-01_sessions.tsv", "session_id\tweight\tscore\nses-a\t70\tn/a\nses-b\t71\tn/a\n")
        try place.write("sub-02/sub-02_sessions.tsv", "session_id\tweight\tscore\nses-a\t65.5\tlow\n")
        for (subject, label) in [("01", "a"), ("01", "b"), ("02", "a")] {
            try place.write("sub-\(subject)/ses-\(label)/anat/sub-\(subject)_ses-\(label)_T1w.nii.gz", "x")
        }
        _ = try await place.index()
        let columns = try await place.store.covariateColumns(place.dataset)
        #expect(columns.map(\.name) == ["age", "sex", "handed", "note", "weight", "score"])
        #expect(columns[0].type == .number && columns[2].type == .boolean && columns[4].type == .number)
        #expect(columns[5].type == .category)

        let people = try await place.store.participants(place.dataset)
        #expect(people.map(\.subject) == ["01", "02", "03", "04"])
        #expect(people[0].values == ["age": .number(41), "sex": .category("M"), "handed": .boolean(false)])
        #expect(people[2].values == ["sex": .category("F")])
        #expect(people[3].values.isEmpty && people[3].problem?.contains("sub-04 twice") == true)

        let sessions = try await place.store.sessionRows(place.dataset)
        #expect(sessions.map { "\($0.subject) \($0.session ?? "")" } == ["01 a", "01 b", "02 a"])
        #expect(sessions[0].values == ["weight": .number(70)])
        #expect(sessions[2].values == ["weight": .number(65.5), "score": .category("low")])

        // Rows that go and values that change follow.
        try place.write("participants.tsv", "participant_id\tage\nsub-01\t42\n")
        _ = try await place.index()
        let after = try await place.store.participants(place.dataset)
        #expect(after.map(\.subject) == ["01"] && after[0].values == ["age": .integer(42)])
        #expect(try await place.store.covariateColumns(place.dataset).map(\.name) == ["age", "weight", "score"])
    }

    @Test("a problem of a file is told again when the file is found unchanged")
    func problems() async throws {
        let place = try await Place()
        defer { place.remove() }
        try place.write("sub-01/anat/sub-01_T1w.nii.gz", "")
        try place.write("participants.tsv", "participant_id\tage\nsub-09\t42\n")
        _ = try await place.index()
        let first = try await place.store.problems(of: [place.dataset])
        #expect(first.contains { $0.path == "sub-01/anat/sub-01_T1w.nii.gz" && $0.sentence.contains("empty") })
        #expect(first.contains { $0.sentence.contains("participants.tsv has no line for sub-01") })
        _ = try await place.index()
        let second = try await place.store.problems(of: [place.dataset])
        #expect(second == first)
    }

    @Test("a dataset is known by its path")
    func identity() async throws {
        let place = try await Place()
        defer { place.remove() }
        let again = try await place.store.upsertDataset(
            path: place.root, name: "renamed", role: .derivative(name: "d", pipeline: "p"), bidsVersion: "1.9",
            description: nil)
        #expect(again == place.dataset)
        try place.write("sub-01/anat/sub-01_T1w.nii.gz", "x")
        _ = try await place.index()
        let file = try #require(try await place.store.files(in: [again]).first)
        #expect(file.dataset == .derivative(name: "d", pipeline: "p"))
    }
}
