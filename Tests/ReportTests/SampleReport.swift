import Report
import TestSupport

/// A report input with something in every section.
enum SampleReport {
    /// The smallest PNG file: one grey pixel.
    static let pixel: [UInt8] = [
        0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1, 0, 0, 0, 1, 8,
        0, 0, 0, 0, 0x3A, 0x7E, 0x9B, 0x55, 0, 0, 0, 10, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9C, 0x63, 0x68, 0, 0, 0, 0x82,
        0, 0x81, 0x77, 0xCD, 0x72, 0xB6, 0, 0, 0, 0, 0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82,
    ]

    static let regionNames = [
        "left_caudate", "right_caudate", "left_putamen", "right_putamen", "left_pallidum", "right_pallidum",
    ]

    static func input(participants count: Int, seed: UInt64 = 7) -> ReportInput {
        var random = SeededGenerator(seed: seed)
        var input = ReportInput(
            title: "Cohort report",
            run: .init(
                identifier: "run-1", workflow: "subcortical", state: "succeeded", dataset: "/data/cohort",
                started: "2026-01-02 03:04 UTC", finished: "2026-01-02 04:00 UTC", wallSeconds: 3360))
        input.notices = ["Synthetic cohort, calibrated."]
        input.participants = (0..<count).map { n in
            .init(
                label: "sub-\(n + 1)", age: 25 + 55 * random.uniform(), sex: n % 3 == 0 ? "F" : "M",
                group: n % 2 == 0 ? "control" : "HH", site: "site0\(n / 2 % 3 + 1)")
        }
        for (place, name) in regionNames.enumerated() {
            let values = input.participants.map { person -> Double? in
                let age = person.age ?? 50
                return 40 + 20 * Double(place) + 0.7 * age + (person.group == "HH" ? 19 : 0) + 8 * random.gaussian()
            }
            input.regions.append(
                .init(name: name, measure: "mean χ", unit: "ppb", reference: "whole brain", values: values))
            for (term, contrast, estimate) in [("group", "HH − control", 19.0), ("age", "per year", 0.7)] {
                input.effects.append(
                    .init(
                        region: name, term: term, contrast: contrast, unit: "ppb", estimate: estimate,
                        lower: estimate * 0.4, upper: estimate * 1.6, pValue: 0.0004, qValue: place < 3 ? 0.002 : 0.3,
                        observations: count))
            }
        }
        input.steps = [
            .init(
                name: "mask", kind: "brain-mask", succeeded: count, failed: 1, medianSeconds: 1.25,
                peakMemoryBytes: 400 << 20)
        ]
        input.pictures = input.participants.enumerated().map { n, person in
            .init(
                participant: person.label, caption: "registration", png: pixel,
                flags: n % 10 == 3 ? ["overlap 0.71 is low"] : [],
                metrics: [.init(name: "correlation", value: 0.812, score: -4.2)])
        }
        input.failures = [
            .init(
                participant: "sub-900", step: "check", failureClass: "permanent",
                reason: "sub-900_T1w.nii.gz ends early", attempts: 1, logTail: "line 1\nline 2")
        ]
        input.missing = [.init(participant: "sub-900", step: "group model", reason: "check failed")]
        input.warnings = [
            .init(
                step: "regions", text: "Region left_<i> has no voxel.",
                participants: ["sub-001", "sub-002", "sub-003", "sub-004", "sub-005"]),
            .init(step: "group model", text: "Two sites have one person each.", participants: []),
        ]
        input.tables = [
            .init(
                title: "Recovered against true χ", columns: ["region", "error, ppb"], rows: [["left_caudate", "−1.2"]])
        ]
        input.provenance.software = [.init("qsmflow", "1.0"), .init("kernels", "v4")]
        input.provenance.inputs = [.init("sub-001/anat/sub-001_T1w.nii.gz", String(repeating: "ab", count: 32))]
        input.provenance.parameters = [("registration", [.init("radius", "2")])]
        input.methods = ["Maps were registered to an atlas."]
        input.citations = [.init("QSM consensus. Magn Reson Med 2024.", doi: "10.1002/mrm.30006")]
        return input
    }
}
