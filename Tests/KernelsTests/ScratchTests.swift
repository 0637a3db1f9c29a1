import Testing

@testable import Kernels

struct ScratchTests {
    @Test func aSmallRequestLeavesALargeBufferAlone() {
        var pool = ScratchPool()
        let (large, middle) = (FeatureStorage(count: 4_000_000), FeatureStorage(count: 30_000))
        pool.idle = [large, middle]
        let taken = [100, 20_000, 1_500_000].map { pool.take($0) }
        #expect(taken[0] == nil && taken[1] === middle && taken[2] === large)
        #expect(pool.idle.isEmpty)
    }

    @Test func aBufferALittleTooSmallGoes() {
        var pool = ScratchPool()
        pool.idle = [FeatureStorage(count: 100_000), FeatureStorage(count: 20_000)]
        let none = pool.take(150_000)
        #expect(none == nil)
        #expect(pool.idle.map(\.count) == [20_000])
        let small = pool.take(10_000)
        #expect(small?.count == 20_000)
    }

    @Test func memoryIsPoisonedForTests() {
        poisonScratch()
        Scratch.with(50) { values in
            #expect((0..<50).allSatisfy { values[$0].isNaN })
        }
    }
}
