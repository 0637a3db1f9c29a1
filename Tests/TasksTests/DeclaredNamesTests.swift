import BIDS
import Foundation
import Networks
import Radiomics
import Testing
import Workflow

@testable import Tasks

/// Names that the declarations of kinds repeat because a coordinator does not link the libraries they are of.
@Suite struct DeclaredNamesTests {
    @Test func featuresHaveTheNamesOfTheLibrary() {
        #expect(StepSettings.featureFamilies["ibsi"] == FeatureFamily.allCases.map(\.rawValue))
        #expect(
            StepSettings.featureFamilies["pyradiomics"]
                == PyRadiomicsFeatures.FeatureClass.allCases.map(\.rawValue))
        #expect(StepSettings.featureAggregations == TextureAggregation.allCases.map(\.rawValue))
    }

    /// A description of a channel that passes the rules is read, and one that does not is refused by both.
    @Test func channelsAreDescribedAlike() throws {
        func read(_ value: JSONValue) -> Bool {
            do {
                _ = try JSONDecoder().decode(ChannelDescription.self, from: value.canonicalData).channel()
                return true
            } catch {
                return false
            }
        }
        let kind = try #require(TaskKindCatalog.kind("network.train"))
        func passes(_ value: JSONValue) -> Bool {
            let settings = StepSettings(kind: kind, parameters: ["channels": [value]])
            return kind.rules.findings(settings).isEmpty
        }
        var cases: [JSONValue] = [
            ["modality": "Chimap", "units": "ppb"], ["modality": "Chimap", "units": "ppm"], ["modality": "T1w"],
            ["modality": "T1w", "unit": "x"], [:], "T1w", ["modality": "T1w", "normalise": "log"],
            ["modality": "T1w", "normalise": "clip", "range": [0, 1]],
            ["modality": "T1w", "normalise": "clip", "range": [1, 0]],
            ["modality": "Chimap", "range": [0.1, "high"]], ["modality": "T1w", "range": [1, 2, 3]],
        ]
        for modality in ["Chimap", "T1w"] {
            for name in TrainingChannels.normalisations {
                cases.append(["modality": .string(modality), "normalise": .string(name)])
            }
        }
        for value in cases { #expect(read(value) == passes(value), "\(value.canonicalString)") }
        #expect(cases.contains(where: passes) && !cases.allSatisfy(passes))
    }
}
