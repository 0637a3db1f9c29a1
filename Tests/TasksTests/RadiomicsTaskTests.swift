import BIDS
import Foundation
import Kernels
import NIfTI
import Radiomics
import Testing
import Workflow

@testable import Tasks

@Suite struct RadiomicsTaskTests {
    static let grid = VoxelGrid(nx: 20, ny: 18, nz: 16, affine: .scaling(SIMD3(1, 1, 1)))

    /// Three lesions: 2 of uneven values, 5 of one value, 9 a single voxel.
    private func folder(units: String = "ppm") throws -> TaskFolder {
        let folder = try TaskFolder()
        var map = Volume(grid: Self.grid)
        var labels = LabelMap(grid: Self.grid)
        for k in 0..<16 {
            for j in 0..<18 {
                for i in 0..<20 {
                    map[i, j, k] = Float((i * 7 + j * 13 + k * 5) % 17) / 100
                    let n = Self.grid.index(i, j, k)
                    if (2..<7).contains(i), (3..<8).contains(j), (4..<8).contains(k) { labels.values[n] = 2 }
                    if (10..<13).contains(i), (3..<6).contains(j), (4..<7).contains(k) {
                        labels.values[n] = 5
                        map[i, j, k] = 0.1
                    }
                }
            }
        }
        labels.values[Self.grid.index(16, 12, 10)] = 9
        try NIfTIFile.write(map, to: folder.path + "/map.nii.gz")
        try NIfTIFile.write(labels, to: folder.path + "/lesions.nii.gz")
        folder.add("image", path: folder.path + "/map.nii.gz", name: "map.nii.gz", metadata: ["Units": .string(units)])
        folder.add("labels", path: folder.path + "/lesions.nii.gz", name: "lesions.nii.gz")
        return folder
    }

    private func table(_ folder: TaskFolder) throws -> TabSeparatedTable {
        try TabSeparatedTable(data: Data(try folder.output("table.tsv").utf8), name: "table.tsv")
    }

    private func value(_ table: TabSeparatedTable, _ row: Int, _ column: String) throws -> Double? {
        TabSeparatedTable.number(table.rows[row][try table.column(column, of: "table.tsv")])
    }

    @Test func lesionsHaveARowEachAndSayWhatTheyLack() throws {
        let folder = try folder()
        let result = try folder.perform(
            "radiomics.extract", parameters: ["scale": 1000, "measurements": ["original_glcm_Contrast"]])
        #expect(result.failure == nil)
        let table = try table(folder)
        #expect(table.columns.count == 2 + 107 + 1)
        #expect(table.columns.prefix(3) == ["lesion", "name", "original_shape_Elongation"])
        #expect(table.rows.map { $0[0] } == ["2", "5", "9"])
        #expect(table.rows.map { $0[1] } == ["lesion-2", "lesion-5", "lesion-9"])
        let missing = try table.column("missing", of: "table.tsv")
        #expect(table.rows[0][missing] == "n/a")
        #expect(table.rows[0].filter { $0 == "n/a" }.count == 1)
        let mean = try #require(try value(table, 1, "original_firstorder_Mean"))
        #expect(abs(mean - 100) < 1e-4)
        #expect(table.rows[2][missing].contains("it is a single voxel (original_shape_Elongation"))
        #expect(try value(table, 2, "original_glcm_Contrast") == nil)
        #expect(!table.rows.joined().contains { $0.contains("nan") || $0.contains("inf") })
        // Few numbers in the database: three per lesion, and the one asked for.
        #expect(result.measurements.count == 12)
        #expect(result.measurements.first { $0.metric == "volume" && $0.region == "lesion-2" }?.value == 100)
        let contrast = result.measurements.first { $0.metric == "feature" && $0.region == "lesion-2" }
        #expect(contrast?.term == "original_glcm_Contrast")
        #expect(contrast?.value == (try value(table, 0, "original_glcm_Contrast")))
        #expect(result.warnings.contains { $0.hasPrefix("1 of 3 regions lack features") })
    }

    @Test func regionsHaveTheNamesOfTheirTable() throws {
        let folder = try folder()
        try folder.add("table", "index\tname\n2\tnucleus\n5\tnode\n9\tdot\n12\tabsent\n", name: "dseg.tsv")
        let result = try folder.perform(
            "radiomics.extract",
            parameters: [
                "preset": "ibsi", "families": ["glcm", "intensity"], "aggregation": ["3D_avg", "2D_avg"],
                "discretisation": "bin_number", "bin_number": 8, "spacing_mm": 0.5,
            ])
        #expect(result.failure == nil)
        let table = try table(folder)
        #expect(table.columns.count == 2 + 18 + 2 * 25 + 1)
        #expect(table.columns.prefix(2) == ["index", "name"])
        #expect(table.columns.contains("cm_contrast_3D_avg") && table.columns.contains("cm_contrast_2D_avg"))
        #expect(table.rows.map { $0[1] } == ["nucleus", "node", "dot", "absent"])
        #expect(table.rows[3].last == "no voxel")
        #expect(result.warnings.contains("Region absent has no voxel."))
    }

    @Test func theFeaturesOfQSMRimAreTheSameInEitherUnitAndForAnyNumberOfThreads() throws {
        let folder = try folder()
        let result = try folder.perform("radiomics.extract", parameters: ["preset": "qsmrim"])
        #expect(result.failure == nil)
        let text = try folder.output("table.tsv")
        #expect(try table(folder).columns.count == 2 + 527 + 1)
        let parallel = try self.folder()
        _ = try parallel.perform("radiomics.extract", parameters: ["preset": "qsmrim"], threads: 4)
        #expect(try parallel.output("table.tsv") == text)
        // Said to be ppb, the same numbers are a thousand times smaller: one bin.
        let small = try self.folder(units: "ppb")
        _ = try small.perform("radiomics.extract", parameters: ["preset": "qsmrim"])
        #expect(try value(try table(small), 0, "original_firstorder_Entropy") == 0)
        let unstated = try self.folder(units: "furlong")
        #expect(
            try unstated.perform("radiomics.extract", parameters: ["preset": "qsmrim"]).failure?.outcome == .permanent)
    }

    /// A number of columns for each filtered image, whose features are those of an image that was filtered before.
    @Test func filteredImagesAreMeasuredToo() throws {
        let filters: JSONValue = [
            ["filter": "log", "sigma_mm": 1.5, "bin_width": 5],
            ["filter": "wavelet", "bands": ["LLH", "HHH"], "bin_width": 10],
            ["filter": "mean", "support": 3, "dimensions": 2],
        ]
        let folder = try folder()
        let result = try folder.perform(
            "radiomics.extract",
            parameters: [
                "scale": 1000, "filters": filters, "measurements": ["log-sigma-1-5-mm-3D_glcm_Contrast"],
            ])
        #expect(result.failure == nil)
        let table = try table(folder)
        // 93 of the 107 features are not of shape.
        #expect(table.columns.count == 2 + 107 + 4 * 93 + 1)
        #expect(Set(table.columns).count == table.columns.count)
        let images = ["log-sigma-1-5-mm-3D", "wavelet-LLH", "wavelet-HHH", "mean-3-2D"]
        #expect(images.allSatisfy { table.columns.contains("\($0)_firstorder_Mean") })
        #expect(!table.columns.contains { $0.hasPrefix("wavelet") && $0.contains("shape") })
        let contrast = result.measurements.first { $0.metric == "feature" && $0.region == "lesion-2" }
        #expect(contrast?.term == "log-sigma-1-5-mm-3D_glcm_Contrast" && contrast?.value != nil)
        // The same with the filtered image as the image.
        let map = try NIfTIFile.readVolume(folder.path + "/map.nii.gz")
        let scaled = Volume(grid: map.grid, values: map.values.map { $0 * 1000 })
        let filtered = LaplacianOfGaussian(
            sigmaMillimetres: 1.5, dimensions: .volume, isNormalised: true, edge: .nearest
        ).response(of: scaled)
        let other = try self.folder()
        try NIfTIFile.write(filtered, to: other.path + "/map.nii.gz")
        _ = try other.perform("radiomics.extract", parameters: ["bin_width": 5])
        let expected = try self.table(other)
        for feature in ["firstorder_Mean", "firstorder_Variance", "firstorder_Kurtosis"] {
            let found = try #require(try value(table, 0, "log-sigma-1-5-mm-3D_" + feature))
            let plain = try #require(try value(expected, 0, "original_" + feature))
            #expect(abs(found - plain) < 1e-4 * abs(plain) + 1e-4, "\(feature)")
        }
        // Any number of threads, the same table.
        let parallel = try self.folder()
        _ = try parallel.perform("radiomics.extract", parameters: ["scale": 1000, "filters": filters], threads: 4)
        #expect(try parallel.output("table.tsv") == folder.output("table.tsv"))
    }

    @Test func filteredImagesAreMeasuredUnderTagsOfTheIBSIToo() throws {
        let folder = try folder()
        let result = try folder.perform(
            "radiomics.extract",
            parameters: [
                "preset": "ibsi", "families": ["morphology", "intensity", "glcm"], "scale": 1000,
                "range": [0, 120], "spacing_mm": 0.8,
                "filters": [
                    ["filter": "laws", "kernels": "L5E5E5", "rotations": "max", "energy": 2],
                    ["filter": "gabor", "sigma_mm": 1.5, "lambda_mm": 3, "theta_step": 45, "dimensions": 2],
                    ["filter": "simoncelli", "level": 1, "bin_number": 16],
                ],
            ])
        #expect(result.failure == nil)
        let table = try table(folder)
        #expect(table.columns.count == 2 + 25 + 18 + 25 + 3 * (18 + 25) + 1)
        #expect(table.columns.contains("laws-L5E5E5-max-energy-2_stat_mean"))
        #expect(table.columns.contains("gabor-sigma-1-5-mm-lambda-3-mm-gamma-1-mean-8-2D_cm_contrast_3D_comb"))
        #expect(try #require(try value(table, 0, "laws-L5E5E5-max-energy-2_stat_min")) > 0)
        // Voxels beyond the range in the image count in no image.
        #expect(try value(table, 0, "simoncelli-1-3D_stat_mean") != nil)
    }

    @Test(
        arguments: [
            (["preset": "qsmrim", "filters": [["filter": "mean"]]], "fixed list"),
            (["filters": [["filter": "median"]]], "did you mean mean"),
            (["filters": [["filter": "log"]]], "without sigma_mm"),
            (["filters": [["filter": "log", "sigma": 3]]], "did you mean sigma_mm"),
            (["filters": [["filter": "log", "sigma_mm": -3]]], "between 0.01"),
            (["filters": [["filter": "mean", "support": 4]]], "odd number"),
            (["filters": [["filter": "laws", "kernels": "L5X5"]]], "L5E5E5"),
            (["filters": [["filter": "wavelet", "bands": ["LLX"]]]], "no sub-band"),
            (["filters": [["filter": "wavelet", "bands": ["LH"], "dimensions": 3]]], "dimensions"),
            (["filters": [["filter": "mean"], ["filter": "mean", "boundary": "zero"]]], "another entry"),
            (["filters": [["filter": "mean", "bin_width": 3, "bin_number": 8]]], "not both"),
            (["scale": 1000, "filters": [["filter": "mean", "bin_width": 1e-6]]], "mean-5-3D"),
            (["filters": [["filter": "wavelet"]], "measurements": ["wavelet-LL_firstorder_Mean"]], "no feature"),
        ] as [(JSONValue, String)])
    func badFiltersAreNamed(_ parameters: JSONValue, _ words: String) throws {
        let result = try folder().perform("radiomics.extract", parameters: parameters)
        #expect(result.failure?.outcome == .permanent)
        #expect(result.failure?.message.contains(words) == true, "\(result.failure?.message ?? "succeeded")")
    }

    @Test(
        arguments: [
            (["preset": "ibsi", "families": ["shape"]], "families"),
            (["preset": "pyradiomics", "range": [0, 1]], "preset ibsi"),
            (["preset": "qsmrim", "bin_width": 10], "fixed list"),
            (["preset": "pyradiomics", "units": "ppb"], "Parameter units of step step: units is of preset qsmrim"),
            (["preset": "ibsi", "range": [3, 1]], "the lower one first"),
            (["measurements": ["glcm_Contrast"]], "no feature of this step"),
            (["scale": 1_000_000_000], "grey levels"),
            (["preset": "ibsi", "aggregation": ["4D"]], "aggregation"),
        ] as [(JSONValue, String)])
    func badParametersAreNamed(_ parameters: JSONValue, _ words: String) throws {
        let result = try folder().perform("radiomics.extract", parameters: parameters)
        #expect(result.failure?.outcome == .permanent)
        #expect(result.failure?.message.contains(words) == true, "\(result.failure?.message ?? "succeeded")")
    }

    @Test func otherGridsAreRefused() throws {
        let folder = try folder()
        let other = LabelMap(grid: VoxelGrid(nx: 4, ny: 4, nz: 4, affine: .identity))
        try NIfTIFile.write(other, to: folder.path + "/lesions.nii.gz")
        let result = try folder.perform("radiomics.extract")
        #expect(result.failure?.message.contains("not on the same grid") == true)
    }

    /// χ in ppm with bins made for ppb: one bin for everything, which is worth one sentence.
    @Test func binsThatAreTooWideAreWarnedOf() throws {
        func warnings(_ parameters: JSONValue, units: String = "ppm") throws -> [String] {
            try folder(units: units).perform("radiomics.extract", parameters: parameters).warnings
                .filter { $0.contains("within the width of one bin") }
        }
        let plain = try warnings([:])
        #expect(plain.count == 1)
        // Of the three lesions one has values that differ.
        #expect(plain.first?.hasPrefix("In 1 of 1 regions") == true, "\(plain)")
        #expect(plain.first?.contains("of χ maps in ppm state scale: 1000") == true)
        #expect(try warnings(["scale": 1000]).isEmpty && warnings(["bin_width": 0.02]).isEmpty)
        #expect(try warnings(["discretisation": "bin_number"]).isEmpty)
        #expect(try warnings(["preset": "ibsi", "families": ["glcm"]]).count == 1)
        #expect(try warnings(["preset": "qsmrim"]).isEmpty)
        let small = try warnings(["preset": "qsmrim"], units: "ppb")
        #expect(small.first?.contains("is the unit of the susceptibility map what") == true, "\(small)")
    }
}
