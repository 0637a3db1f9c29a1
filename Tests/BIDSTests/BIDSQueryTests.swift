import BIDS
import Testing

@Suite struct BIDSQueryTests {
    private func file(_ path: String, dataset: DatasetRole = .raw) throws -> BIDSFile {
        let parts = path.split(separator: "/").map(String.init)
        return BIDSFile(
            path: path, stamp: FileStamp(sizeBytes: 1, modifiedNanoseconds: 0, inode: 0),
            name: try BIDSName(parsing: parts.last!), datatype: parts.count > 1 ? parts[parts.count - 2] : nil,
            dataset: dataset)
    }

    private static let recon = DatasetRole.derivative(name: "recon-v2", pipeline: "QSMxT")

    @Test func narrowsByEverythingItNames() throws {
        let files = [
            try file("anat/sub-1_run-01_T1w.nii.gz"), try file("anat/sub-1_run-02_T1w.nii.gz"),
            try file("anat/sub-1_acq-hi_run-01_T1w.nii.gz"), try file("anat/sub-1_Chimap.nii.gz", dataset: Self.recon),
            try file("anat/sub-1_desc-ref_Chimap.nii", dataset: Self.recon), try file("anat/sub-1_run-01_T1w.json"),
            try file("func/sub-1_run-01_T1w.nii.gz"),
        ]
        func count(_ query: BIDSQuery) -> Int { query.matches(in: files).count }
        #expect(count(BIDSQuery(suffixes: ["T1w"])) == 4)
        #expect(count(BIDSQuery(suffixes: ["T1w"], extensions: [".json"])) == 1)
        #expect(count(BIDSQuery(suffixes: ["T1w"], datatypes: ["anat"], entities: ["run": .anyOf(["1"])])) == 2)
        #expect(count(BIDSQuery(suffixes: ["T1w"], entities: ["run": .anyOf(["1", "2"]), "acq": .absent])) == 3)
        #expect(count(BIDSQuery(suffixes: ["T1w"], entities: ["acq": .present])) == 1)
        #expect(count(BIDSQuery(source: .raw, suffixes: ["Chimap"])) == 0)
        #expect(count(BIDSQuery(source: .anyDerivative, suffixes: ["Chimap"])) == 2)
        #expect(count(BIDSQuery(source: .derivative("recon-v2"), suffixes: ["Chimap"])) == 2)
        #expect(count(BIDSQuery(source: .derivative("QSMxT"), suffixes: ["Chimap"], entities: ["desc": .absent])) == 1)
        #expect(count(BIDSQuery(source: .derivative("other"), suffixes: ["Chimap"])) == 0)
        #expect(count(BIDSQuery(suffixes: ["T1w", "Chimap"])) == 6)
    }

    @Test func labelsThatAreNotCountsCompareAsText() throws {
        let files = [try file("anat/sub-1_acq-01_T1w.nii")]
        #expect(BIDSQuery(suffixes: ["T1w"], entities: ["acq": .anyOf(["1"])]).matches(in: files).isEmpty)
    }

    @Test func sortsEchoesByNumber() throws {
        let files = try [10, 9, 1].map { try file("anat/sub-1_echo-\($0)_MEGRE.nii") }
        #expect(BIDSQuery(suffixes: ["MEGRE"]).matches(in: files).map { $0.name["echo"] } == ["1", "9", "10"])
    }

    private func problem(_ query: BIDSQuery, _ files: [BIDSFile]) throws -> BIDSQueryProblem {
        try #require(throws: BIDSQueryProblem.self) { try query.single(in: files, owner: "sub-1").get() }
    }

    @Test func oneMatchIsTheAnswer() throws {
        let files = [try file("anat/sub-1_T1w.nii.gz"), try file("anat/sub-1_FLAIR.nii.gz")]
        #expect(try BIDSQuery(suffixes: ["T1w"]).single(in: files, owner: "sub-1").get() == files[0])
    }

    @Test func severalMatchesNameTheEntityThatTellsThemApart() throws {
        let files = [
            try file("anat/sub-1_acq-a_run-1_T1w.nii.gz"), try file("anat/sub-1_acq-a_run-2_T1w.nii.gz"),
            try file("anat/sub-1_acq-b_run-3_T1w.nii.gz"),
        ]
        let problem = try problem(BIDSQuery(suffixes: ["T1w"]), files)
        #expect(problem.kind == .several)
        #expect(problem.sentence.contains("3 files match a T1w image"))
        #expect(problem.sentence.contains("they differ in run (1, 2, 3): say which, e.g. run: 1"))
        for file in files { #expect(problem.sentence.contains(file.path)) }
    }

    @Test func severalMatchesWithoutAnEntityAdviseTheNextBestThing() throws {
        let query = BIDSQuery(suffixes: ["Chimap"])
        let both = [
            try file("anat/sub-1_Chimap.nii.gz", dataset: Self.recon),
            try file("anat/sub-1_Chimap.nii.gz", dataset: .derivative(name: "other", pipeline: nil)),
        ]
        #expect(try problem(query, both).sentence.contains("dataset: one of other, recon-v2"))
        let twins = [try file("anat/sub-1_Chimap.nii.gz"), try file("anat/sub-1_Chimap.nii")]
        #expect(try problem(query, twins).sentence.contains("differ in their extension only"))
        let plain = [try file("anat/sub-1_Chimap.nii"), try file("anat/sub-1_desc-x_Chimap.nii")]
        #expect(try problem(query, plain).sentence.contains("e.g. desc: none"))
        let sessions = [try file("anat/sub-1_ses-1_Chimap.nii"), try file("anat/sub-1_ses-2_Chimap.nii")]
        #expect(try problem(query, sessions).sentence.contains("scope: session"))
    }

    @Test func noMatchNamesTheNearestFile() throws {
        let files = [try file("anat/sub-1_acq-hi_T1w.nii.gz"), try file("anat/sub-1_FLAIR.nii.gz")]
        let near = try problem(BIDSQuery(suffixes: ["T1w"], entities: ["acq": .absent]), files)
        #expect(near.kind == .none)
        #expect(near.sentence.contains("sub-1 has no T1w image with no acq"))
        #expect(near.sentence.contains("nearest: anat/sub-1_acq-hi_T1w.nii.gz (it has acq-hi)"))
        #expect(try problem(BIDSQuery(suffixes: ["T2w"]), files).sentence.contains("its images are FLAIR, T1w"))
        #expect(try problem(BIDSQuery(suffixes: ["T2w"]), []).sentence.contains("no image at all"))
        let source = try problem(BIDSQuery(source: .derivative("recon"), suffixes: ["T1w"]), files)
        #expect(source.sentence.contains("derivative dataset recon"))
        #expect(source.sentence.contains("(it is in raw)"))
    }

    @Test func findsImagesStoredTwice() throws {
        let items = [
            DuplicateImages.Item(file: try file("anat/sub-1_ses-1_T1w.nii.gz"), digest: "aa"),
            DuplicateImages.Item(file: try file("anat/sub-1_ses-1_FLAIR.nii.gz"), digest: "bb"),
            DuplicateImages.Item(file: try file("anat/sub-1_ses-2_T1w.nii.gz"), digest: "aa"),
            DuplicateImages.Item(file: try file("anat/sub-1_ses-2_FLAIR.nii.gz"), digest: "bb"),
            DuplicateImages.Item(file: try file("anat/sub-2_T1w.nii.gz"), digest: "cc"),
            DuplicateImages.Item(file: try file("anat/sub-2_run-2_T1w.nii.gz"), digest: "cc"),
        ]
        let problems = DuplicateImages.problems(items)
        #expect(problems.map(\.session) == ["1", "2"])
        #expect(problems.allSatisfy { $0.subject == "1" && $0.severity == .error })
        #expect(problems[0].sentence.contains("sub-1_ses-1 and sub-1_ses-2 share 2 images byte for byte"))
        #expect(DuplicateImages.problems(Array(items.prefix(2))).isEmpty)
    }
}
