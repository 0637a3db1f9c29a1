import BIDS
import Foundation
import Testing

/// Datasets of the standard's example collection; images are stubs, many of zero bytes.
@Suite struct ExampleDatasetTests {
    @Test(.enabled(if: SharedData.exists("synthetic.tar.gz"), "needs ../shared/data/bids/synthetic.tar.gz"))
    func sessionsAndDerivatives() throws {
        let tree = try SharedData.unpack("synthetic.tar.gz")
        let root = tree.root + "/synthetic"
        let raw = try DatasetScanner(root: root).scan()
        #expect(raw.summary.subjects == ["01", "02", "03", "04", "05"])
        #expect(raw.subjects.allSatisfy { $0.sessions == ["01", "02"] })
        #expect(raw.summary.participants?.columns.map(\.type) == [.integer, .category])
        #expect(raw.subjects[0].sessionTable?.rows["02"] == ["systolic_blood_pressure": .integer(113)])
        #expect(raw.changed.filter { $0.name.suffix == "T1w" }.count == 10)

        let roots = try DatasetScanner.derivativeRoots(of: root)
        #expect(roots == [root + "/derivatives/fmriprep"])
        let derived = try DatasetScanner(root: roots[0]).scan()
        let bold = BIDSQuery(suffixes: ["bold"], entities: ["space": .anyOf(["T1w"]), "run": .anyOf(["1"])])
        #expect(bold.matches(in: derived.changed).count == 10)
    }

    @Test(.enabled(if: SharedData.exists("qmri_mp2rageme.tar.gz"), "needs ../shared/data/bids/qmri_mp2rageme.tar.gz"))
    func multiEchoMagnitudeAndPhase() throws {
        let tree = try SharedData.unpack("qmri_mp2rageme.tar.gz")
        let raw = try DatasetScanner(root: tree.root + "/qmri_mp2rageme").scan()
        let query = BIDSQuery(
            suffixes: ["MP2RAGE"], entities: ["inv": .anyOf(["2"]), "part": .anyOf(["phase"]), "echo": .present])
        let found = query.matches(in: raw.changed)
        #expect(found.map { $0.name["echo"] } == ["1", "2", "3", "4"])
        #expect(found.allSatisfy { $0.problem?.contains("0 bytes") == true })
        // `sub-1_echo-1_inv-2_MP2RAGE.json` serves both its magnitude and its phase image.
        #expect(found.allSatisfy { $0.metadata != nil })
        let derived = try DatasetScanner(root: tree.root + "/qmri_mp2rageme/derivatives/pymp2rage").scan()
        #expect(BIDSQuery(suffixes: ["R2starmap"]).matches(in: derived.changed).count == 1)
    }

    @Test(
        .enabled(
            if: SharedData.exists("ds000001-fmriprep.tar.gz"), "needs ../shared/data/bids/ds000001-fmriprep.tar.gz"))
    func derivativesOnly() throws {
        let tree = try SharedData.unpack("ds000001-fmriprep.tar.gz")
        let scan = try DatasetScanner(root: tree.root + "/ds000001-fmriprep").scan()
        #expect(scan.summary.role == .derivative(name: "ds000001-fmriprep", pipeline: "fMRIPrep"))
        #expect(scan.summary.subjects == ["10", "11", "13", "16"])
        let transforms = BIDSQuery(
            suffixes: ["xfm"], extensions: [".h5"],
            entities: ["from": .anyOf(["T1w"]), "to": .anyOf(["MNI152NLin2009cAsym"])])
        for subject in scan.subjects {
            #expect(transforms.matches(in: subject.changed).count == 1, "sub-\(subject.subject)")
        }
    }
}
