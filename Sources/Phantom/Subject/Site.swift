/// A scanner: what it does to susceptibility and to image intensities.
struct Site: Sendable {
    let name: String
    let vendor: String
    let fieldStrengthTesla: Double
    /// Measured χ = gain × tissue χ + offset.
    let gain: Double
    let offsetPPB: Double
    /// Standard deviation of voxel noise at 1 mm.
    let noisePPB: Double
    /// Signal of white matter in a T1w image.
    let intensity: Double

    init(seed: UInt64, number: Int) {
        var random = RandomStream(seed: seed, "site", String(number))
        name = "site\(number < 9 ? "0" : "")\(number + 1)"
        vendor = ["VendorA", "VendorB", "VendorC"][number % 3]
        fieldStrengthTesla = number % 2 == 0 ? 3 : 2.89362
        gain = min(1.08, max(0.92, random.normal(1, 0.03)))
        offsetPPB = random.normal(0, 3)
        noisePPB = random.uniform(8, 12)
        intensity = random.uniform(400, 1600)
    }
}
