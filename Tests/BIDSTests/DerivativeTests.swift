import BIDS
import Testing

@Suite struct DerivativeTests {
    @Test func buildsNamesFromTheirSource() throws {
        let source = try BIDSName(parsing: "sub-1_ses-2_acq-q_run-1_echo-3_part-phase_MEGRE.nii.gz")
        let name = DerivativeName.make(
            from: source, suffix: "Chimap", fileExtension: ".nii.gz",
            setting: ["desc": "high-chi core", "space": "T1w"])
        #expect(name.fileName == "sub-1_ses-2_acq-q_run-1_space-T1w_desc-highChiCore_Chimap.nii.gz")
        #expect(
            DerivativeName.path(name, datatype: "anat")
                == "sub-1/ses-2/anat/sub-1_ses-2_acq-q_run-1_space-T1w_desc-highChiCore_Chimap.nii.gz")
        let group = DerivativeName.make(subject: nil, session: nil, suffix: "effects", fileExtension: ".tsv")
        #expect(DerivativeName.path(group, datatype: nil) == "effects.tsv")
    }

    @Test func findsTheSidecarOfAPath() {
        #expect(DerivativeName.sidecarPath(of: "sub.1/anat/sub-1_T1w.nii.gz") == "sub.1/anat/sub-1_T1w.json")
    }

    @Test(arguments: [
        ("MNI152NLin6", "MNI152NLin6"), ("a_b-c", "aBC"), ("ä x", "x"), ("--", ""), ("1+2", "1+2"),
    ])
    func cleansLabels(text: String, label: String) {
        #expect(DerivativeName.label(text) == label)
    }

    @Test func describesItself() throws {
        let dataset = DerivativeDataset(
            name: "χ of a cohort", version: "0.1", variant: "subcortical", license: "CC0",
            links: ["raw": "../../"], ignored: ["*_roi.tsv", "prov/"])
        #expect(dataset.folderName == "qsmflow-subcortical")
        #expect(dataset.bidsIgnoreText == "*_roi.tsv\nprov/\n")
        let (description, problems) = DatasetDescription.read(dataset.descriptionJSON, path: "x")
        #expect(problems.isEmpty)
        #expect(description.isDerivative)
        #expect(description.generatedBy.map(\.name) == ["qsmflow"])
        #expect(dataset.folderName.contains(description.generatedBy[0].name))
        #expect(description.datasetLinks == ["raw": "../../"])
        let sidecar = DerivativeDataset.sidecar(
            description: "d", sources: [DerivativeDataset.uri(dataset: "raw", path: "sub-1/a.nii")],
            skullStripped: true, further: ["Units": "ppm"])
        #expect(
            sidecar == ["Description": "d", "Sources": ["bids:raw:sub-1/a.nii"], "SkullStripped": true, "Units": "ppm"])
    }

    @Test func oldPipelineDescriptionsAreDerivatives() {
        let (description, _) = DatasetDescription.read(
            ["Name": "x", "BIDSVersion": "1.2", "PipelineDescription": ["Name": "fMRIPrep"]], path: "x")
        #expect(description.isDerivative)
        #expect(description.generatedBy.map(\.name) == ["fMRIPrep"])
    }
}
