import BIDS
import Foundation
import Testing

@Suite struct DatasetScannerTests {
    private static let description = #"{"Name": "test", "BIDSVersion": "1.11.1"}"#

    private func known(_ scan: DatasetScan) -> [String: KnownFile] {
        Dictionary(
            uniqueKeysWithValues: scan.changed.map {
                ($0.path, KnownFile(stamp: $0.stamp, sidecarStamp: $0.sidecarStamp))
            })
    }

    private func sentences(_ scan: DatasetScan) -> [String] { scan.problems.map(\.sentence) }

    @Test func mergesSidecarsFromTheRootDown() throws {
        let tree = try TemporaryTree([
            "dataset_description.json": Self.description,
            "T2starw.json": #"{"FlipAngle": 15, "EchoTime": 1, "Site": "A"}"#,
            "part-phase_T2starw.json": #"{"Units": "rad"}"#,
            "sub-01/sub-01_T2starw.json": #"{"EchoTime": 2, "Site": "B"}"#,
            "sub-01/ses-1/anat/sub-01_ses-1_T2starw.json": #"{"EchoTime": 3}"#,
            "sub-01/ses-1/anat/sub-01_ses-1_part-phase_T2starw.nii.gz": "p",
            "sub-01/ses-1/anat/sub-01_ses-1_part-mag_T2starw.nii.gz": "m",
            "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz": "t",
        ])
        let scan = try DatasetScanner(root: tree.root).scan()
        #expect(scan.problems.isEmpty, "\(scan.problems)")
        let metadata = Dictionary(uniqueKeysWithValues: scan.changed.map { ($0.name["part"] ?? "none", $0.metadata) })
        #expect(metadata["phase"] == ["FlipAngle": 15, "EchoTime": 3, "Site": "B", "Units": "rad"])
        #expect(metadata["mag"] == ["FlipAngle": 15, "EchoTime": 3, "Site": "B"])
        #expect(metadata["none"] == .some(nil))
        #expect(scan.changed.allSatisfy { $0.datatype == "anat" && $0.session == "1" && $0.dataset == .raw })
        #expect(scan.subjects.map(\.sessions) == [["1"]])
    }

    @Test func secondScanReportsOnlyWhatChanged() throws {
        let tree = try TemporaryTree([
            "dataset_description.json": Self.description, "T1w.json": #"{"FlipAngle": 8}"#,
            "sub-01/anat/sub-01_T1w.nii.gz": "a", "sub-01/anat/sub-01_FLAIR.nii.gz": "b",
            "sub-02/anat/sub-02_T1w.nii.gz": "c", "sub-02/anat/sub-02_T1w.json": #"{"FlipAngle": 9}"#,
            "sub-03/anat/sub-03_T1w.nii.gz": "d",
        ])
        let scanner = DatasetScanner(root: tree.root)
        let first = try scanner.scan()
        #expect(first.changed.count == 4)

        let second = try scanner.scan(known: known(first))
        #expect(second.changed.isEmpty)
        #expect(second.unchanged.count == 4)
        #expect(second.removed.isEmpty)

        // Content of the same length in place, a sidecar taken away, a file gone, a file new.
        try tree.write("sub-01/anat/sub-01_FLAIR.nii.gz", "B")
        try tree.remove("sub-02/anat/sub-02_T1w.json")
        try tree.remove("sub-03/anat/sub-03_T1w.nii.gz")
        try tree.write("sub-03/anat/sub-03_T2w.nii.gz", "e")
        let third = try scanner.scan(known: known(first))
        #expect(
            third.changed.map(\.path) == [
                "sub-01/anat/sub-01_FLAIR.nii.gz", "sub-02/anat/sub-02_T1w.nii.gz", "sub-03/anat/sub-03_T2w.nii.gz",
            ])
        #expect(third.changed[1].metadata == ["FlipAngle": 8])
        #expect(third.removed == ["sub-03/anat/sub-03_T1w.nii.gz"])
        #expect(third.unchanged == ["sub-01/anat/sub-01_T1w.nii.gz"])

        // A sidecar at the root touches every file it applies to and no other.
        try tree.write("T1w.json", #"{"FlipAngle": 10}"#)
        let fourth = try scanner.scan(known: known(first))
        #expect(fourth.changed.map(\.path).contains("sub-01/anat/sub-01_T1w.nii.gz"))
        #expect(fourth.changed.first { $0.path.contains("sub-01_T1w") }?.metadata == ["FlipAngle": 10])
    }

    @Test func documentsAreNamedByTheBytesThatWereRead() throws {
        let tree = try TemporaryTree([
            "dataset_description.json": Self.description, "T1w.json": #"{"FlipAngle": 8}"#, "README.md": "read me",
            "participants.tsv": "participant_id\tage\nsub-01\t40\n", "participants.json": #"{"age": {}}"#,
            "sub-01/sub-01_sessions.tsv": "session_id\nses-1\n", ".bidsignore": "extra/\n", "T2w.json": "no JSON",
            "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz": "a",
        ])
        let scan = try DatasetScanner(root: tree.root).scan()
        let documents = scan.summary.documents + scan.subjects.flatMap(\.documents)
        // What could not be understood was read all the same; what says nothing of images was not.
        #expect(
            documents.map(\.path).sorted() == [
                ".bidsignore", "T1w.json", "T2w.json", "dataset_description.json", "participants.json",
                "participants.tsv", "sub-01/sub-01_sessions.tsv",
            ])
        for document in documents {
            #expect(document.digest == (try FileDigest.sha256(of: tree.root + "/" + document.path)), "\(document.path)")
        }
    }

    @Test func resultsDoNotDependOnParallelism() throws {
        var files = ["dataset_description.json": Self.description, "T1w.json": #"{"x": 1}"#]
        for index in 0..<70 {
            let subject = "sub-\(index)"
            files["\(subject)/anat/\(subject)_T1w.nii.gz"] = "\(index)"
            files["\(subject)/anat/\(subject)_T1w.json"] = #"{"y": \#(index)}"#
        }
        let tree = try TemporaryTree(files)
        let alone = try DatasetScanner(root: tree.root, parallelism: 1).scan()
        let together = try DatasetScanner(root: tree.root, parallelism: 7).scan()
        #expect(alone.changed == together.changed)
        #expect(alone.changed.count == 70)
        #expect(alone.subjects.map(\.subject) == alone.summary.subjects)
    }

    @Test func anUnreadableSidecarIsNamedWithItsPlace() throws {
        let tree = try TemporaryTree([
            "dataset_description.json": Self.description,
            "sub-01/anat/sub-01_T1w.nii.gz": "a", "sub-01/anat/sub-01_T1w.json": "",
            "sub-02/anat/sub-02_T1w.nii.gz": "a", "sub-02/anat/sub-02_T1w.json": "{\n  \"a\": 1,\n}",
            "sub-03/anat/sub-03_T1w.nii.gz": "a", "sub-03/anat/sub-03_T1w.json": "[1]",
        ])
        let scan = try DatasetScanner(root: tree.root).scan()
        let problems = scan.changed.map { $0.problem ?? "" }
        #expect(problems[0].hasPrefix("sub-01/anat/sub-01_T1w.json, line 1, column 1: the file is empty"))
        #expect(problems[1].hasPrefix("sub-02/anat/sub-02_T1w.json, line 3, column 1:"))
        #expect(problems[2].contains("holds a list where a JSON object"))
    }

    @Test func twoSidecarsOfOneFolderThatDisagreeAreAProblem() throws {
        let tree = try TemporaryTree([
            "dataset_description.json": Self.description,
            "sub-01/anat/sub-01_acq-a_echo-1_T2starw.nii.gz": "a",
            "sub-01/anat/sub-01_acq-a_T2starw.json": #"{"EchoTime": 1, "Same": 2}"#,
            "sub-01/anat/sub-01_echo-1_T2starw.json": #"{"EchoTime": 2, "Same": 2}"#,
        ])
        let scan = try DatasetScanner(root: tree.root).scan()
        let problem = try #require(scan.changed.first?.problem)
        #expect(problem.contains("give different values of EchoTime"))
    }

    @Test func brokenLinksAndEmptyFilesAreProblemsOfTheFile() throws {
        let tree = try TemporaryTree([
            "dataset_description.json": Self.description, "store/real": "bytes",
            "sub-01/anat/sub-01_FLAIR.nii.gz": "",
        ])
        try tree.link("sub-01/anat/sub-01_T1w.nii.gz", to: "../../.git/annex/objects/k/j/SHA256E-s9--00.nii.gz")
        try tree.link("sub-01/anat/sub-01_T2w.nii.gz", to: "nowhere")
        try tree.link("sub-01/anat/sub-01_PDw.nii.gz", to: "../../store/real")
        let scan = try DatasetScanner(root: tree.root).scan()
        let problems = Dictionary(uniqueKeysWithValues: scan.changed.map { ($0.name.suffix, $0.problem ?? "none") })
        #expect(problems["T1w"]?.contains("datalad get") == true)
        #expect(problems["T2w"]?.contains("link to nowhere, which is not there") == true)
        #expect(problems["FLAIR"]?.contains("0 bytes") == true)
        #expect(problems["PDw"] == "none")
        #expect(scan.changed.first { $0.name.suffix == "PDw" }?.stamp.sizeBytes == 5)
    }

    @Test func aLinkToAFolderAboveIsALoop() throws {
        let tree = try TemporaryTree([
            "dataset_description.json": Self.description, "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz": "a",
        ])
        try tree.link("sub-01/ses-1/func", to: "../ses-1")
        let scan = try DatasetScanner(root: tree.root).scan()
        #expect(sentences(scan).contains { $0.contains("sub-01/ses-1/func is a link back") }, "\(scan.problems)")
        #expect(scan.changed.map(\.path) == ["sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz"])
    }

    @Test func foldersAndNamesMustAgree() throws {
        let tree = try TemporaryTree([
            "dataset_description.json": Self.description,
            "sub-01/anat/sub-02_T1w.nii.gz": "a", "sub-01/ses-1/anat/sub-01_FLAIR.nii.gz": "a",
            "sub-01/anat/notes.txt": "x", "sub-01/anat/my scan.nii.gz": "x",
        ])
        let scan = try DatasetScanner(root: tree.root).scan()
        #expect(sentences(scan).contains { $0.contains("folder of sub-01 but is named sub-02") })
        #expect(sentences(scan).contains { $0.contains("ses-1 but names no session") })
        #expect(sentences(scan).contains { $0.contains("my scan.nii.gz is not a BIDS file name") })
    }

    @Test func worksWithSpacesAndLettersOfOtherAlphabets() throws {
        let tree = try TemporaryTree(
            [
                "dataset_description.json": Self.description,
                "sub-Zoë/anat/sub-Zoë_T1w.nii.gz": "a", "sub-Zoë/anat/sub-Zoë_T1w.json": #"{"a": "ü"}"#,
                "participants.tsv": "participant_id\tage\nsub-Zoë\t44\n",
            ], name: "étude à cœur 研究")
        let scan = try DatasetScanner(root: tree.root + "/").scan()
        #expect(scan.problems.isEmpty, "\(scan.problems)")
        #expect(scan.changed.map(\.metadata) == [["a": "ü"]])
        #expect(scan.summary.participants?.rows["Zoë"] == ["age": .integer(44)])
        #expect(
            try DatasetScanner(root: tree.root).scan(known: known(scan)).unchanged == [
                "sub-Zoë/anat/sub-Zoë_T1w.nii.gz"
            ])
    }

    @Test func emptyAndUndescribedDatasetsSaySo() throws {
        let empty = try TemporaryTree(["README": "nothing"])
        let scan = try DatasetScanner(root: empty.root).scan()
        #expect(sentences(scan).contains { $0.contains("holds no subject") })
        #expect(sentences(scan).contains { $0.contains("has no dataset_description.json") })

        let study = try TemporaryTree([
            "analysis/sub-01/anat/sub-01_T1w.nii.gz": "x", "derivatives/sub-01/anat/sub-01_T1w.nii.gz": "x",
            "code/README": "x",
        ])
        #expect(
            sentences(try DatasetScanner(root: study.root).scan()).contains {
                $0.contains("name the folder that contains the sub- folders: \(study.root)/analysis")
            })

        let hollow = try TemporaryTree(["dataset_description.json": "{}", "sub-01/anat/README.md": "x"])
        let second = try DatasetScanner(root: hollow.root).scan()
        #expect(sentences(second).contains { $0.contains("none of its 1 subject folders holds a BIDS file") })
        #expect(sentences(second).contains { $0.contains("lacks Name") })

        #expect(throws: BIDSError.self) { try DatasetScanner(root: empty.root + "/missing").scan() }
        #expect(throws: BIDSError.notADirectory(path: empty.root + "/README")) {
            try DatasetScanner(root: empty.root + "/README").scan()
        }
    }

    @Test func bidsignoreAndOtherFoldersAreLeftOut() throws {
        let tree = try TemporaryTree([
            "dataset_description.json": Self.description, ".bidsignore": "*_SWI.nii.gz\nsub-02/\n",
            "sub-01/anat/sub-01_SWI.nii.gz": "a", "sub-01/anat/sub-01_T1w.nii.gz": "a",
            "sub-02/anat/sub-02_T1w.nii.gz": "a", "derivatives/x/sub-01/anat/sub-01_Chimap.nii.gz": "a",
            "sourcedata/sub-01/anat/sub-01_T1w.nii.gz": "a", "sub-01/anat/.hidden_T1w.nii.gz": "a",
        ])
        let scan = try DatasetScanner(root: tree.root).scan()
        #expect(scan.changed.map(\.path) == ["sub-01/anat/sub-01_T1w.nii.gz"])
        #expect(try DatasetScanner.derivativeRoots(of: tree.root) == [tree.root + "/derivatives/x"])
    }

    @Test func derivativesKnowTheirName() throws {
        let tree = try TemporaryTree(
            [
                "dataset_description.json": """
                {"Name": "r", "BIDSVersion": "1.11.1", "DatasetType": "derivative", "GeneratedBy": [{"Name": "QSMxT"}]}
                """,
                "sub-01/anat/sub-01_Chimap.nii.gz": "a", "sub-01/figures/sub-01_T1w.svg": "x",
                "sub-01/anat/report page.html": "x",
            ], name: "qsmxt-8")
        let scan = try DatasetScanner(root: tree.root).scan()
        #expect(scan.problems.isEmpty, "\(scan.problems)")
        #expect(scan.changed.map(\.dataset) == [.derivative(name: "qsmxt-8", pipeline: "QSMxT")])
    }

    @Test func aSidecarWithoutItsImageIsRemembered() throws {
        let tree = try TemporaryTree([
            "dataset_description.json": Self.description, "sub-01/anat/sub-01_Chimap.json": #"{"Units": "ppm"}"#,
            "sub-01/anat/sub-01_T1w.nii.gz": "a",
        ])
        let scan = try DatasetScanner(root: tree.root).scan()
        #expect(scan.changed.map(\.name.fileName) == ["sub-01_T1w.nii.gz", "sub-01_Chimap.json"])
        let result = BIDSQuery(suffixes: ["Chimap"]).single(in: scan.changed, owner: "sub-01")
        #expect(throws: BIDSQueryProblem.self) { try result.get() }
        guard case .failure(let problem) = result else { return }
        #expect(problem.sentence.contains("sidecar sub-01/anat/sub-01_Chimap.json is there but its image is not"))
    }

    @Test func participantsWithoutLineAndSessionsTable() throws {
        let tree = try TemporaryTree([
            "dataset_description.json": Self.description, "participants.tsv": "participant_id\tage\nsub-01\t3\n",
            "participants.json": "{", "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz": "a",
            "sub-01/sub-01_sessions.tsv": "session_id\tdose\nses-1\t2.5\n",
            "sub-02/anat/sub-02_T1w.nii.gz": "a",
        ])
        let scan = try DatasetScanner(root: tree.root).scan()
        #expect(scan.subjects[0].sessionTable?.rows["1"] == ["dose": .number(2.5)])
        #expect(sentences(scan).contains { $0.contains("has no line for sub-02") })
        #expect(sentences(scan).contains { $0.hasPrefix("participants.json, line 1, column 2") })
        #expect(scan.changed.count == 2)
    }

    @Test func tablesOfTheRootServeEverySubject() throws {
        let tree = try TemporaryTree([
            "dataset_description.json": Self.description, "desc-nuclei_dseg.tsv": "index\tname\n1\tputamen\n",
            "dseg.json": #"{"Atlas": "X"}"#, "README.md": "x", "participants.tsv": "participant_id\nsub-01\n",
            "sub-01/anat/sub-01_desc-nuclei_dseg.nii.gz": "a",
        ])
        let scanner = DatasetScanner(root: tree.root)
        let scan = try scanner.scan()
        #expect(scan.summary.changed.map(\.path) == ["desc-nuclei_dseg.tsv"])
        #expect(scan.summary.changed[0].subject == nil)
        #expect(scan.summary.changed[0].metadata == ["Atlas": "X"])
        let again = try scanner.scan(known: known(scan))
        #expect(again.summary.unchanged == ["desc-nuclei_dseg.tsv"])
        #expect(again.changed.isEmpty)
        #expect(again.removed.isEmpty)
        try tree.remove("desc-nuclei_dseg.tsv")
        #expect(try scanner.scan(known: known(scan)).removed == ["desc-nuclei_dseg.tsv"])
    }

    @Test func namesThatAreNotUTF8AreReported() throws {
        let tree = try TemporaryTree([
            "dataset_description.json": Self.description, "sub-01/anat/sub-01_T1w.nii.gz": "a",
        ])
        let bytes = Array((tree.root + "/sub-01/anat/sub-01_acq-").utf8) + [0xE9, 0x2E, 0x6E, 0x69, 0x69, 0]
        let descriptor = bytes.withUnsafeBytes {
            open($0.bindMemory(to: CChar.self).baseAddress!, O_CREAT | O_RDWR, 0o644)
        }
        #expect(descriptor >= 0)
        close(descriptor)
        let scan = try DatasetScanner(root: tree.root).scan()
        #expect(sentences(scan).contains { $0.contains("sub-01/anat holds a name that is not UTF-8") })
        #expect(scan.changed.map(\.path) == ["sub-01/anat/sub-01_T1w.nii.gz"])
    }
}
