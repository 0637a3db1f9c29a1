import Foundation
import Testing

@testable import Worker

/// The record of who held a cache folder last.
@Suite struct CacheHolderTests {
    @Test func theProcessBeforeIsKnown() throws {
        let folder = try WorkerTestFolder()
        let cache = folder.path + "/cache", copy = folder.path + "/copy"
        try FileManager.default.createDirectory(atPath: cache, withIntermediateDirectories: true)
        let (one, two, three) = (UUID(), UUID(), UUID())
        // Without its lock it is no cache.
        #expect(CacheHolder.replace(by: one, ofCache: cache) == nil)
        try Data().write(to: URL(fileURLWithPath: cache + "/lock"))
        #expect(CacheHolder.replace(by: one, ofCache: cache) == nil)
        #expect(CacheHolder.replace(by: two, ofCache: cache) == one)
        // Who works with a copy of the folder is not its successor: both may live.
        try FileManager.default.copyItem(atPath: cache, toPath: copy)
        #expect(CacheHolder.replace(by: three, ofCache: copy) == nil)
        #expect(CacheHolder.replace(by: three, ofCache: cache) == two)
        try Data("damaged".utf8).write(to: URL(fileURLWithPath: cache + "/holder.json"))
        #expect(CacheHolder.replace(by: one, ofCache: cache) == nil)
        #expect(CacheHolder.replace(by: two, ofCache: cache) == one)
    }
}
