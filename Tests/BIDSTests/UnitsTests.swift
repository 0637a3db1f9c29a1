import BIDS
import Testing

@Suite struct UnitsTests {
    @Test(arguments: [
        ("ppm", SusceptibilityUnit.partsPerMillion), ("PPM", .partsPerMillion), (" ppb ", .partsPerBillion),
        ("parts per billion", .partsPerBillion),
    ])
    func knowsSusceptibility(text: String, unit: SusceptibilityUnit) {
        #expect(Units.susceptibility(["Units": .string(text)], image: "x").unit == unit)
    }

    @Test func convertsToPartsPerMillion() {
        #expect(SusceptibilityUnit.partsPerBillion.factorToPPM == 0.001)
        #expect(SusceptibilityUnit.partsPerMillion.factorToPPM == 1)
    }

    @Test func neverGuesses() {
        let absent = Units.susceptibility(["EchoTime": 1], image: "sub-1_Chimap.nii.gz")
        #expect(absent.unit == nil)
        #expect(absent.problem?.contains("sub-1_Chimap.nii.gz does not say its unit") == true)
        #expect(
            Units.susceptibility(nil, image: "x")
                == .absent(absent.problem!.replacing("sub-1_Chimap.nii.gz", with: "x")))
        let unknown = Units.susceptibility(["Units": "Hz"], image: "x")
        #expect(unknown.problem?.contains("“Hz”") == true)
        #expect(unknown.problem?.contains("\"ppm\" or \"ppb\"") == true)
        #expect(Units.susceptibility(["Units": 3], image: "x").problem?.contains("whole number") == true)
    }

    @Test func knowsPhaseAndRelaxation() {
        #expect(Units.phase(["Units": "rad"], image: "x").unit == .radians)
        #expect(Units.phase(["Units": "arbitrary"], image: "x").unit == .arbitrary)
        #expect(Units.phase(["Units": "degree"], image: "x").unit == nil)
        #expect(Units.relaxationRate(["Units": "1/s"], image: "x").unit == .perSecond)
        #expect(Units.relaxationRate(["Units": "ms"], image: "x").unit == nil)
    }
}
