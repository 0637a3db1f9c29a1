import BIDS

/// The filters of `radiomics.extract`, as its parameter `filters` names them.
enum ImageFilterShapes {
    static let all: [RecordShape] = [
        shape(
            "mean", "Mean over a square or cube of voxels.",
            [
                TaskParameter("support", .integer(1...101), default: 5, "Voxels along an edge, an odd number."),
                dimensions,
            ]),
        shape(
            "log", "Laplacian of a Gaussian.",
            [
                TaskParameter(
                    "sigma_mm", .number(0.01...100), default: .null, "Standard deviation of the Gaussian, mm."),
                TaskParameter("cutoff", .number(1...10), default: 4, "Where the kernel ends, in standard deviations."),
                TaskParameter(
                    "scaled", .choice(["preset", "no", "sigma_squared"]), default: "preset",
                    "Times the square of sigma_mm, as PyRadiomics has it, or not, as the IBSI has it."),
                dimensions,
            ]),
        shape(
            "laws", "Kernels of Laws along the axes, and the energy of the response.",
            [
                TaskParameter(
                    "kernels", .text, default: .null,
                    "Two (in the slice) or three of L3, E3, S3, L5, E5, S5, W5, R5, such as L5E5E5."),
                rotations,
                TaskParameter(
                    "energy", .integer(0...50), default: 0,
                    "Voxels to each side over which the magnitude of the response is averaged; 0: the response itself."),
            ]),
        shape(
            "gabor", "Gabor filters in the slices, or in all planes of the three axes.",
            [
                TaskParameter(
                    "sigma_mm", .number(0.01...100), default: .null, "Standard deviation along the wave, mm."),
                TaskParameter("lambda_mm", .number(0.01...1000), default: .null, "Length of the wave, mm."),
                TaskParameter(
                    "gamma", .number(0.01...100), default: 1, "Standard deviation along the wave by that across it."),
                TaskParameter(
                    "theta", .number(-360...360), default: 0,
                    "Direction of the wave, degrees from the first axis of the plane towards its second."),
                TaskParameter(
                    "theta_step", .number(0...180), default: 0,
                    "Degrees between directions around the circle, whose responses are pooled; 0: theta alone."),
                TaskParameter(
                    "pooling", .choice(["mean", "max", "min"]), default: "mean", "How directions are pooled."),
                TaskParameter(
                    "part", .choice(["modulus", "real", "imaginary"]), default: "modulus",
                    "What is taken of the complex response."),
                dimensions,
            ]),
        shape(
            "wavelet", "Undecimated separable wavelets.",
            [
                TaskParameter(
                    "family",
                    .choice([
                        "haar", "db2", "db3", "db4", "db5", "db6", "db7", "db8", "db9", "db10", "sym4", "sym5", "sym6",
                        "sym7", "sym8", "coif1", "coif2", "coif3",
                    ]), default: "coif1", "Haar, Daubechies, symlets or coiflets."),
                TaskParameter(
                    "bands", .list, default: [],
                    "Sub-bands by L and H along the axes, such as LLH, or LH in the slice; none named means all."),
                TaskParameter("level", .integer(1...5), default: 1, "Level of the decomposition."),
                rotations, dimensions,
            ]),
        shape("simoncelli", "The wavelet of Simoncelli, which has no direction.", [level, dimensions]),
        shape("shannon", "The wavelet of Shannon, which has no direction.", [level, dimensions]),
    ]

    private static let dimensions = TaskParameter(
        "dimensions", .integer(2...3), default: 3, "2: in each slice; 3: in the volume.")
    private static let level = TaskParameter("level", .integer(1...6), default: 1, "Level of the decomposition.")
    private static let rotations = TaskParameter(
        "rotations", .choice(["none", "mean", "max", "min"]), default: "none",
        "How the responses in all positions that right angles lead to are pooled.")

    /// What all filters have.
    private static func shape(_ name: String, _ summary: String, _ parameters: [TaskParameter]) -> RecordShape {
        RecordShape(
            name, summary,
            parameters + [
                TaskParameter(
                    "boundary", .choice(["preset", "zero", "nearest", "periodic", "mirror", "periodic_even"]),
                    default: "preset",
                    "What is beyond the edge of the image; preset: periodic for simoncelli and shannon, else mirror; but for the "
                        + "preset pyradiomics periodic_even for wavelet and nearest for log."),
                TaskParameter(
                    "bin_width", .number(0...1e9), default: 0,
                    "Width of a bin for this filter, in the unit of its response; 0: as for the image."),
                TaskParameter(
                    "bin_number", .integer(0...4096), default: 0,
                    "Bins between the extremes of a region for this filter; 0: as for the image."),
            ])
    }
}
