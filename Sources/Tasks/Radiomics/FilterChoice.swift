import BIDS
import Kernels
import Radiomics
import Workflow

/// One entry of the parameter `filters` of `radiomics.extract`.
struct FilterChoice: Sendable {
    var filter: any ImageFilter
    /// Grey levels of its responses; nil: as for the image.
    var binning: Binning?

    enum Binning: Sendable {
        case width(Double)
        case number(Int)
    }

    /// - Throws: a permanent failure that names the entry.
    static func all(_ environment: TaskEnvironment) throws -> [FilterChoice] {
        let name = "filters"
        guard let parameter = environment.kind.parameter(name), case .records(let key, let shapes) = parameter.values
        else { preconditionFailure("\(environment.kind.name) has no list of filters") }
        let entries = environment.list(name)
        if let problem = parameter.problem(with: .array(entries)) { throw environment.refuse("\(name) \(problem)") }
        let isPyRadiomics = environment.text("preset") != "ibsi"
        var taken: Set<String> = []
        return try entries.enumerated().map { place, entry in
            guard let shape = shapes.first(where: { $0.name == entry[key]?.stringValue }) else {
                preconditionFailure("an entry without a shape passed")
            }
            let settings = Settings(shape: shape, entry: entry, isPyRadiomics: isPyRadiomics)
            func refuse(_ what: String) -> TaskResult.Failure {
                environment.refuse("entry \(place + 1) (\(shape.name)) of \(name): \(what)")
            }
            let choice = FilterChoice(filter: try settings.filter(refuse), binning: try settings.binning(refuse))
            for image in choice.filter.names where !taken.insert(image).inserted {
                throw refuse("another entry makes \(image) too; leave one of them out")
            }
            return choice
        }
    }

    /// An entry, with the defaults of its shape.
    private struct Settings {
        let shape: RecordShape
        let entry: JSONValue
        let isPyRadiomics: Bool

        private func value(_ name: String) -> JSONValue {
            guard let parameter = shape.parameter(name) else { preconditionFailure("\(shape.name) has no \(name)") }
            return entry[name] ?? parameter.defaultValue
        }
        private func number(_ name: String) -> Double { value(name).doubleValue ?? .nan }
        private func integer(_ name: String) -> Int { Int(value(name).integerValue ?? 0) }
        private func text(_ name: String) -> String { value(name).stringValue ?? "" }

        private var dimensions: FilterDimensions { integer("dimensions") == 2 ? .slice : .volume }
        private var rotations: ResponsePooling? { ResponsePooling(rawValue: text("rotations")) }

        private func edge(preset: EdgeRule) -> EdgeRule {
            EdgeRule(rawValue: text("boundary")) ?? (isPyRadiomics ? preset : .mirror)
        }

        func binning(_ refuse: (String) -> TaskResult.Failure) throws -> Binning? {
            let (width, number) = (number("bin_width"), integer("bin_number"))
            if width > 0, number > 0 { throw refuse("state bin_width or bin_number, not both") }
            if number == 1 { throw refuse("bin_number is 2 or more, or 0") }
            return width > 0 ? .width(width) : number > 0 ? .number(number) : nil
        }

        func filter(_ refuse: (String) -> TaskResult.Failure) throws -> any ImageFilter {
            switch shape.name {
            case "mean":
                let support = integer("support")
                guard support % 2 == 1 else { throw refuse("support is an odd number, not \(support)") }
                return MeanFilter(support: support, dimensions: dimensions, edge: edge(preset: .mirror))
            case "log":
                let scaled = text("scaled")
                return LaplacianOfGaussian(
                    sigmaMillimetres: number("sigma_mm"), cutoff: number("cutoff"), dimensions: dimensions,
                    isNormalised: scaled == "sigma_squared" || scaled == "preset" && isPyRadiomics,
                    edge: edge(preset: .nearest))
            case "laws":
                guard let kernels = LawsFilter.kernels(text("kernels")) else {
                    throw refuse(
                        "kernels are two or three of \(LawsKernel.allCases.map(\.rawValue).joined(separator: ", ")), such as "
                            + "L5E5E5, not “\(text("kernels"))”")
                }
                return LawsFilter(
                    kernels, rotations: rotations, energyDistance: integer("energy") > 0 ? integer("energy") : nil,
                    edge: edge(preset: .mirror))
            case "gabor":
                let step = number("theta_step")
                let start = number("theta") * .pi / 180
                let angles =
                    step > 0 ? GaborFilter.orientations(step: step * .pi / 180).map { $0 + start } : [start]
                return GaborFilter(
                    sigmaMillimetres: number("sigma_mm"), wavelengthMillimetres: number("lambda_mm"),
                    ellipticity: number("gamma"), orientations: angles,
                    pooling: ResponsePooling(rawValue: text("pooling")) ?? .mean,
                    part: GaborFilter.Part(rawValue: text("part")) ?? .modulus, dimensions: dimensions,
                    edge: edge(preset: .mirror))
            case "wavelet":
                let stated = (value("bands").arrayValue ?? []).compactMap(\.stringValue)
                guard stated.count == value("bands").arrayValue?.count else {
                    throw refuse("bands are texts such as LLH")
                }
                let all = dimensions == .slice ? WaveletFilter.bandsOfSlice : WaveletFilter.bandsOfVolume
                let bands = stated.isEmpty ? all : stated
                if let problem = WaveletFilter.problem(with: bands) { throw refuse(problem) }
                if entry["dimensions"] != nil, bands[0].count != all[0].count {
                    throw refuse("bands such as \(bands[0]) have \(bands[0].count) dimensions, not \(all[0].count)")
                }
                return WaveletFilter(
                    WaveletFamily(rawValue: text("family")) ?? .coif1, bands: bands, level: integer("level"),
                    rotations: rotations, edge: edge(preset: .periodicEven))
            default:
                guard let family = RadialWavelet.Family(rawValue: shape.name) else {
                    preconditionFailure("\(shape.name) is no filter")
                }
                return RadialWavelet(
                    family, level: integer("level"), dimensions: dimensions,
                    edge: EdgeRule(rawValue: text("boundary")) ?? .periodic)
            }
        }
    }
}
