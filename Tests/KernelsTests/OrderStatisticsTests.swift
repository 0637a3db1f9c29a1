import Kernels
import Testing

@Suite struct OrderStatisticsTests {
    private func plain(_ percentile: Double, _ values: [Float]) -> Float {
        let sorted = values.filter(\.isFinite).sorted()
        let position = percentile / 100 * Double(sorted.count - 1)
        let low = Int(position)
        let high = min(low + 1, sorted.count - 1)
        return Float(Double(sorted[low]) + (position - Double(low)) * (Double(sorted[high]) - Double(sorted[low])))
    }

    @Test(arguments: awkwardSizes) func equalsSorting(size: SIMD3<Int>) throws {
        var volume = randomVolume(makeGrid(size))
        if volume.values.count > 10 {
            volume.values[3] = .nan
            volume.values[5] = .infinity
            volume.values[7] = -0.0
        }
        let wanted = [0, 0.5, 25, 50, 99.5, 100]
        let found = try #require(try volume.percentiles(wanted))
        for (percentile, value) in zip(wanted, found) { #expect(value == plain(percentile, volume.values)) }
    }

    @Test func onlyTheMaskCounts() throws {
        let volume = randomVolume(makeGrid([16, 17, 18]))
        let mask = randomMask(volume.grid, share: 0.3, salt: 1)
        let inside = zip(volume.values, mask.values).filter { $0.1 != 0 }.map(\.0)
        #expect(try volume.percentiles([37], within: mask) == [plain(37, inside)])
        #expect(try volume.percentiles([37], within: Mask(grid: volume.grid)) == nil)
        #expect(throws: GridError.self) { try volume.percentiles([37], within: Mask(grid: makeGrid([3, 3, 3]))) }
    }

    @Test func otsuSeparatesTwoClasses() throws {
        let noise = randomVolume(makeGrid([16, 17, 18]))
        let shifted = noise.values.enumerated().map { $0.offset % 3 == 0 ? 10 + $0.element : $0.element }
        let mixed = Volume(grid: noise.grid, values: shifted)
        let threshold = try #require(try mixed.otsuThreshold())
        #expect(threshold > 1 && threshold < 9)
        #expect(try Volume(grid: noise.grid, filledWith: 2).otsuThreshold() == nil)
    }
}
