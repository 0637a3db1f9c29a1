import BIDS
import Kernels
import NIfTI
import Radiomics
import Workflow

/// One row of features per region or lesion.
enum RadiomicsTask: TaskImplementation {
    static let kind = "radiomics.extract"

    static func run(_ environment: TaskEnvironment) throws -> TaskResult {
        let preset = try FeaturePreset(environment)
        let filters = try FilterChoice.all(environment)
        let names =
            preset.names
            + filters.flatMap { choice in
                choice.filter.names.flatMap { preset.ofFilteredImage(choice.binning).names(image: $0) }
            }
        let wanted = environment.texts("measurements")
        if let unknown = wanted.first(where: { !names.contains($0) }) {
            throw TaskResult.Failure.permanent(
                "Step \(environment.request.step): “\(unknown)” in measurements is no feature of this step; names are such as "
                    + names.prefix(3).joined(separator: ", "))
        }
        let item = try environment.input("image")
        let image: Volume
        if case .qsmRim = preset {
            image = try SusceptibilityMap.read(item, units: environment.text("units"))
        } else {
            image = try NIfTIFile.readVolume(item.path)
        }
        let labelItem = try environment.input("labels")
        let labels = try NIfTIFile.readLabelMap(labelItem.path)
        guard labels.grid.matches(image.grid) else {
            throw GridError.mismatch(
                first: item.input.name, firstGrid: image.grid, second: labelItem.input.name, secondGrid: labels.grid)
        }
        let boxes = RegionBox.all(of: labels)
        let regions = try regions(environment, present: boxes.keys.sorted())
        let source = RadiomicsSource(environment, image, labels, preset)
        let measured = source.measure(
            regions.map(\.index), boxes, filters, threads: environment.threads)

        var rows: [[String]] = []
        var measurements: [MeasuredValue] = []
        var warnings: [String] = []
        var lacking: [MissingFeature: Int] = [:]
        var spreads: [Double] = []
        for (region, result) in zip(regions, measured) {
            let found: RadiomicsSource.Measured
            do {
                guard let values = try result.get() else {
                    warnings.append("Region \(region.name) has no voxel.")
                    rows.append(["\(region.index)", region.name] + names.map { _ in "n/a" } + ["no voxel"])
                    continue
                }
                found = values
            } catch let error as FeatureError {
                throw TaskResult.Failure.permanent("Region \(region.name) of \(item.input.name): \(error)")
            } catch let error as FilteredFeatureError {
                throw TaskResult.Failure.permanent(
                    "Region \(region.name) of \(item.input.name): \(error); a filter has bin_width and bin_number of its own"
                )
            }
            if found.spread > 0 { spreads.append(found.spread) }
            let reasons = Self.reasons(found.features)
            for reason in Set(found.features.compactMap(\.missing)) { lacking[reason, default: 0] += 1 }
            rows.append(
                ["\(region.index)", region.name] + found.features.map { TabSeparatedTable.cell($0.value) } + [reasons])
            func add(_ metric: String, _ value: Double?, _ unit: String, term: String? = nil) {
                measurements.append(
                    MeasuredValue(region: region.name, term: term, metric: metric, value: value, unit: unit))
            }
            add("voxels", Double(found.voxels), "1")
            add("volume", found.volumeCubicMillimetres, "mm3")
            add("missing_features", Double(found.features.reduce(0) { $0 + ($1.value == nil ? 1 : 0) }), "1")
            for feature in found.features where wanted.contains(feature.name) {
                add("feature", feature.value, "1", term: feature.name)
            }
        }
        for reason in MissingFeature.allCases {
            guard let count = lacking[reason] else { continue }
            warnings.append(
                "\(count) of \(regions.count) regions lack features: for each of them \(reason.rawValue); see the column missing."
            )
        }
        if let warning = preset.warning(spreads: spreads, unit: item.input.metadata?["Units"]?.stringValue) {
            warnings.append(warning)
        }
        let first = environment.optionalInput("table") == nil ? "lesion" : "index"
        let table = TabSeparatedTable(columns: [first, "name"] + names + ["missing"], rows: rows)
        return TaskResult(
            outputs: [try environment.writeTable(table, to: "table")], measurements: measurements, warnings: warnings)
    }

    /// The regions of the table and all others that occur; without a table the lesions.
    private static func regions(_ environment: TaskEnvironment, present: [UInt16]) throws -> [RegionTable.Region] {
        guard let item = environment.optionalInput("table") else {
            return present.map { RegionTable.Region(index: $0, name: "lesion-\($0)", colour: nil) }
        }
        return try RegionTable(try item.readTable(), name: item.input.name).completed(with: present).regions
    }

    /// Why features are missing, such as `all its values are equal (stat_skew, stat_kurt)`.
    private static func reasons(_ features: [FeatureValue]) -> String {
        let texts = MissingFeature.allCases.compactMap { reason -> String? in
            let names = features.filter { $0.missing == reason }.map(\.name)
            return names.isEmpty ? nil : "\(reason.rawValue) (\(names.joined(separator: ", ")))"
        }
        return texts.isEmpty ? "n/a" : texts.joined(separator: "; ")
    }
}
