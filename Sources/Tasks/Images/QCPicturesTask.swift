import BIDS
import Foundation
import Kernels
import NIfTI
import Pictures
import Workflow

/// Two mosaics for people and one report of numbers for `cohort.qc`.
enum QCPicturesTask: TaskImplementation {
    static let kind = "qc.pictures"

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        let map = try environment.optionalInput("chimap").map {
            try SusceptibilityMap.read($0, units: environment.text("units"))
        }
        let labels = try environment.optionalInput("labels").map { try NIfTIFile.readLabelMap($0.path) }
        let t1w = try NIfTIFile.readVolume(try environment.input("t1w").path)
        let labelsT1w = try environment.optionalInput("labels_t1w").map { try NIfTIFile.readLabelMap($0.path) }
        let brain = try environment.optionalInput("brain").map { try NIfTIFile.readMask($0.path) }

        var mosaic = Mosaic()
        let window = Float(environment.number("window_ppm"))
        mosaic.window = .range(-window...window)
        let chimapEntry = try map.map {
            try write(try mosaic.picture(of: $0, labels: labels), to: "chimap_mosaic", environment)
        }
        environment.report(progress: 0.5)
        mosaic.window = .percentiles(0.5, 99.5)
        let t1wEntry = try write(
            try mosaic.picture(of: t1w, labels: labelsT1w, mask: brain), to: "t1w_mosaic", environment)

        // Several atlases: the mean of each number, and the worst of those where one bad registration matters.
        var series: [String: [Double]] = [:]
        for item in environment.inputs("registrations") {
            for (name, value) in try item.readJSON()["numbers"]?.objectValue ?? [:] {
                if let number = value.doubleValue { series[name, default: []].append(number) }
            }
        }
        func mean(_ name: String) -> Double? {
            series[name].map { $0.reduce(0, +) / Double($0.count) }
        }
        let numbers: [(String, Double?, String)] = [
            ("registration_similarity", mean("similarity"), "1"),
            ("jacobian_minimum", series["jacobian_minimum"]?.min(), "1"),
            ("folded_fraction", series["folded_fraction"]?.max(), "1"),
            ("inverse_error", mean("inverse_error"), "mm"),
        ]
        let report = JSONValue.object([
            "numbers": .object(
                Dictionary(uniqueKeysWithValues: numbers.compactMap { n in n.1.map { (n.0, JSONValue.number($0)) } }))
        ])
        return TaskResult(
            outputs: [chimapEntry, t1wEntry, try environment.writeJSON(report, to: "report")].compactMap { $0 },
            measurements: numbers.map { MeasuredValue(metric: $0.0, value: $0.1, unit: $0.2) })
    }

    private static func write(_ picture: Picture, to port: String, _ environment: TaskEnvironment) throws
        -> TaskResult.Output
    {
        let (path, entry) = environment.output(port)
        try Data(try PNG.encode(picture)).write(to: URL(fileURLWithPath: path))
        return entry
    }
}
