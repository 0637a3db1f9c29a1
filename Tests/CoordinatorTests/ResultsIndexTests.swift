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
            dataset = try await fixture.store.upsertDataset(path: root, role: .raw)
            try write("dataset_description.json", #"{"Name": "test", "BIDSVersion": "1.11.1"}"#)
        }

        func files() async throws -> [BIDSFile] { try await store.files(in: [dataset]).map(\.file) }

        func write(_ path: String, _ text: String) throws {
            let url = URL(fileURLWithPath: root + "/" + path)
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url)
        }

        /// Scans and stores as the service does, in batches of two.
        func index() async throws -> Change {
            let known = try await store.knownFiles(dataset)
            let scan = try DatasetScanner(root: root, parallelism: 1).scan(known: known)
            for start in stride(from: 0, to: scan.subjects.count, by: 2) {
                try await store.apply(Array(scan.subjects[start..<min(start + 2, scan.subjects.count)]), to: dataset)
            }
            try await store.finishScan(
                scan.summary, problems: scan.summary.problems + scan.subjects.flatMap(\.problems), of: dataset)
            let added = scan.changed.count { known[$0.path] == nil }
            return Change(
                files: try await store.files(in: [dataset]).count, added: added, changed: scan.changed.count - added,
                removed: scan.removed.count)
        }

        struct Change: Equatable {
            var files: Int, added: Int, changed: Int, removed: Int
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
        #expect(change == Place.Change(files: 3, added: 3, changed: 0, removed: 0))
        let scan = try DatasetScanner(root: place.root, parallelism: 1).scan()
        let files = try await place.files()
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
        #expect(files.map(\.subject) == ["01", "01", "ü1"])
        #expect(try await place.store.indexedDatasets().map(\.files) == [3])
    }

    @Test("an unchanged dataset changes nothing; files that change or go are noticed")
    func incremental() async throws {
        let place = try await Place()
        defer { place.remove() }
        for n in 1...4 { try place.write("sub-0\(n)/anat/sub-0\(n)_T1w.nii.gz", "image \(n)") }
        _ = try await place.index()
        #expect(
            try await place.index() == Place.Change(files: 4, added: 0, changed: 0, removed: 0)
        )
        try place.write("sub-02/anat/sub-02_T1w.nii.gz", "a longer image")
        try FileManager.default.removeItem(atPath: place.root + "/sub-03")
        try place.write("sub-05/anat/sub-05_T1w.nii.gz", "new")
        #expect(
            try await place.index() == Place.Change(files: 4, added: 1, changed: 1, removed: 1)
        )
        let paths = try await place.files().map(\.path)
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
        let read = Store.DigestedFile(
            path: place.root + "/" + image, stamp: digest.stamp, digest: try #require(ArtifactDigest(hex: digest.hex)))
        try await place.store.recordDigests([read])
        func stored() async throws -> String? { try await place.files().first?.digest }
        #expect(try await stored() == digest.hex)
        let remembered = try await place.store.knownDigests([(read.path, read.stamp), ("/none", read.stamp)])
        #expect(remembered == [read.path: read.digest])

        try place.write("sub-01/anat/sub-01_T1w.json", #"{"EchoTime": 0.003}"#)
        #expect(try await place.index().changed == 1)
        #expect(try await stored() == digest.hex)

        try place.write(image, "another image")
        #expect(try await place.index().changed == 1)
        #expect(try await stored() == nil)
        // What was read before the change must not be taken for what lies there now.
        try await place.store.recordDigests([read])
        #expect(try await stored() == nil)
    }

    @Test("the same bytes may have many places")
    func sources() async throws {
        let place = try await Place()
        defer { place.remove() }
        let stamp = FileStamp(sizeBytes: 1, modifiedNanoseconds: 2, inode: 3)
        let later = FileStamp(sizeBytes: 1, modifiedNanoseconds: 9, inode: 3)
        let a = try #require(ArtifactDigest(hex: String(repeating: "0a", count: 32)))
        let b = try #require(ArtifactDigest(hex: String(repeating: "f9", count: 32)))
        let store = place.store
        try await store.recordDigests([
            .init(path: "/x", stamp: stamp, digest: a), .init(path: "/y", stamp: stamp, digest: a),
        ])
        try await store.recordDigests([.init(path: "/x", stamp: later, digest: b)])
        #expect(try await store.knownDigests([("/x", later), ("/y", stamp)]) == ["/x": b, "/y": a])
        #expect(try await store.knownDigests([("/y", later)]).isEmpty)
        #expect(Set(try await store.sources(of: a).map(\.path)).contains("/y"))
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
        try place.write("sub-05/sub-05_sessions.tsv", "session_id\tweight\tscore\nses-a\t60\t3\n")
        for (subject, label) in [("01", "a"), ("01", "b"), ("02", "a"), ("05", "a")] {
            try place.write("sub-\(subject)/ses-\(label)/anat/sub-\(subject)_ses-\(label)_T1w.nii.gz", "x")
        }
        _ = try await place.index()
        let (columns, sessionColumns) = try await place.store.covariateColumns(place.dataset)
        #expect(columns.map(\.name) == ["age", "sex", "handed", "note"])
        #expect(columns[0].type == .number && columns[2].type == .boolean)
        #expect(sessionColumns.map(\.name) == ["weight", "score"])
        #expect(sessionColumns.map(\.type) == [.number, .category])

        let people = try #require(try await place.store.participants(place.dataset))
        #expect(people.labels == ["02", "01", "03"])
        #expect(people.rows["01"] == ["age": .number(41), "sex": .category("M"), "handed": .boolean(false)])
        #expect(people.rows["03"] == ["sex": .category("F")])
        #expect(people.rows["04"] == nil && people.ambiguous["04"]?.contains("sub-04 twice") == true)

        let sessions = try await place.store.sessionRows(place.dataset)
        #expect(sessions.keys.sorted() == ["01", "02", "05"])
        #expect(sessions["01"]?.labels == ["a", "b"])
        #expect(sessions["01"]?.rows["a"] == ["weight": .number(70)])
        #expect(sessions["02"]?.rows["a"] == ["weight": .number(65.5), "score": .category("low")])
        // Numbers in one participant's table, words in another's: a category, and nobody's value is lost.
        #expect(sessions["05"]?.rows["a"] == ["weight": .number(60), "score": .category("3")])

        // Rows that go and values that change follow.
        try place.write("participants.tsv", "participant_id\tage\nsub-01\t42\n")
        try place.write("sub-01/sub-01_sessions.tsv", "session_id\tweight\nses-b\t72\n")
        try place.write("sub-02/sub-02_sessions.tsv", "session_id\tweight\nses-a\t65\n")
        try FileManager.default.removeItem(atPath: place.root + "/sub-05")
        _ = try await place.index()
        let after = try #require(try await place.store.participants(place.dataset))
        #expect(after.labels == ["01"] && after.rows["01"] == ["age": .integer(42)])
        let (_, remaining) = try await place.store.covariateColumns(place.dataset)
        #expect(remaining.map(\.name) == ["weight"] && remaining[0].type == .integer)
        let left = try await place.store.sessionRows(place.dataset)
        #expect(left.keys.sorted() == ["01", "02"])
        #expect(left["01"]?.rows == ["b": ["weight": .integer(72)]])
        #expect(left["02"]?.rows == ["a": ["weight": .integer(65)]])

        // So does a whole table, with nothing else changed.
        try FileManager.default.removeItem(atPath: place.root + "/sub-01/sub-01_sessions.tsv")
        _ = try await place.index()
        #expect(try await place.store.sessionRows(place.dataset).keys.sorted() == ["02"])
    }

    @Test("a problem of a file is told again when the file is found unchanged")
    func problems() async throws {
        let place = try await Place()
        defer { place.remove() }
        try place.write("sub-01/anat/sub-01_T1w.nii.gz", "")
        try place.write("participants.tsv", "participant_id\tage\nsub-09\t42\n")
        _ = try await place.index()
        #expect(try await place.store.fileProblems(of: place.dataset).map { $0.contains("empty") } == [true])
        let first = try await place.store.problems(of: place.dataset)
        #expect(first.contains { $0.sentence.contains("participants.tsv has no line for sub-01") })
        _ = try await place.index()
        #expect(try await place.store.fileProblems(of: place.dataset).count == 1)
        #expect(try await place.store.problems(of: place.dataset) == first)
    }

    @Test("a dataset is known by its path")
    func identity() async throws {
        let place = try await Place()
        defer { place.remove() }
        let role = DatasetRole.derivative(name: "d", pipeline: "p")
        #expect(try await place.store.upsertDataset(path: place.root, role: role) == place.dataset)
        try place.write("sub-01/anat/sub-01_T1w.nii.gz", "x")
        _ = try await place.index()
        #expect(try await place.files().map(\.dataset) == [role])
    }

    @Test("files of the root that serve all participants are in the index")
    func shared() async throws {
        let place = try await Place()
        defer { place.remove() }
        try place.write("desc-nuclei_dseg.tsv", "index\tname\n1\tL_putamen\n")
        try place.write("sub-01/anat/sub-01_desc-nuclei_dseg.nii.gz", "x")
        #expect(try await place.index().added == 2)
        let table = try #require(try await place.files().first { $0.subject == nil })
        #expect(table.absolutePath == place.root + "/desc-nuclei_dseg.tsv")
        #expect(try await place.index() == Place.Change(files: 2, added: 0, changed: 0, removed: 0))
    }
}
