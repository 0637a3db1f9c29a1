import BIDS
import Testing

@Suite struct DataKindTests {
    private func kind(_ json: JSONValue) -> DataKind {
        DataKind(DatasetDescription.read(json, path: "dataset_description.json").0)
    }

    @Test func keywordsDecide() {
        #expect(kind(["Keywords": ["QSM", "Synthetic"]]) == .synthetic)
        #expect(kind(["Keywords": ["semi-synthetic", "synthetic"]]) == .semiSynthetic)
        #expect(kind(["Keywords": ["in vivo"]]) == .real)
        let generated: JSONValue = [["Name": "x", "Description": "simulated images"]]
        #expect(kind(["Keywords": ["real"], "GeneratedBy": generated]) == .real)
    }

    @Test func elseGeneratorsDo() {
        func generated(_ text: String) -> JSONValue { ["GeneratedBy": [["Name": "x", "Description": .string(text)]]] }
        #expect(kind(generated("qsmflow phantom: analytic anatomy, simulated images")) == .synthetic)
        #expect(kind(generated("simulated images on real anatomical label maps")) == .semiSynthetic)
        #expect(kind(generated("reconstruction of measured phase")) == .unstated)
        #expect(kind([:]) == .unstated)
        for kind in DataKind.allCases { #expect(kind.heading.hasSuffix(".")) }
        for kind in [DataKind.synthetic, .semiSynthetic] { #expect(kind.heading.contains("no figure here replicates")) }
    }

    @Test func keywordsAreKept() {
        let json: JSONValue = ["Name": "a", "BIDSVersion": "1.10.0", "Keywords": ["synthetic"]]
        let description = DatasetDescription.read(json, path: "").0
        #expect(description.json["Keywords"] == ["synthetic"])
    }
}
