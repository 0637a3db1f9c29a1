// Names of the statements a session has prepared; the least recently used makes room.

struct PreparedStatements {
    struct Key: Hashable {
        var sql: String
        var types: [UInt32]
    }

    private struct Entry {
        var name: String
        var used: UInt64
    }

    let limit: Int
    private(set) var nextNumber: Int
    private var entries: [Key: Entry] = [:]
    private var clock: UInt64 = 0

    init(limit: Int, firstNumber: Int = 1) {
        self.limit = limit
        nextNumber = firstNumber
    }

    mutating func name(for key: Key) -> String? {
        guard let index = entries.index(forKey: key) else { return nil }
        clock += 1
        entries.values[index].used = clock
        return entries.values[index].name
    }

    /// Adds a statement; `evicted` is the name of one to deallocate.
    mutating func insert(_ key: Key) -> (name: String, evicted: String?) {
        var evicted: String?
        if entries.count >= limit, let oldest = entries.min(by: { $0.value.used < $1.value.used }) {
            evicted = oldest.value.name
            entries[oldest.key] = nil
        }
        clock += 1
        let name = "q\(nextNumber)"
        nextNumber += 1
        entries[key] = Entry(name: name, used: clock)
        return (name, evicted)
    }

    mutating func remove(_ key: Key) {
        entries[key] = nil
    }
}
