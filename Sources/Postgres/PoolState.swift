// The decisions of the pool: a value that takes events and answers with what to do. No lock, socket or clock inside.
//
// A slot is the right to hold one connection. Every slot is free, or held by a caller, or kept with an idle connection;
// the three together are always `limit`. Waiting callers exist only while no slot is free and none is idle.

/// - `Resource`: the connection.
/// - `Waiter`: who waits, identified by a number.
struct PoolState<Resource, Waiter> {
    enum Grant {
        /// Here is a connection that was idle.
        case use(Resource)
        /// Here is a slot; connect yourself.
        case connect
    }

    enum Request {
        case granted(Grant)
        case queued
        case closed
    }

    let limit: Int
    /// Last in, first out: rarely used connections stay rarely used.
    private(set) var idle: [Resource] = []
    private(set) var held = 0
    private(set) var isClosed = false
    private var waiters: [(id: UInt64, waiter: Waiter)] = []

    init(limit: Int) {
        precondition(limit > 0, "a pool without connections")
        self.limit = limit
    }

    var waiting: Int { waiters.count }

    /// What a caller gets without waiting; nil when it would have to, or when the pool is closed.
    mutating func takeAtOnce() -> Grant? {
        guard !isClosed else { return nil }
        if let resource = idle.popLast() {
            held += 1
            return .use(resource)
        }
        guard held < limit else { return nil }
        held += 1
        return .connect
    }

    /// A caller asks; `queued` once it waits, in order of arrival.
    mutating func request(id: UInt64, waiter: Waiter) -> Request {
        if isClosed { return .closed }
        if let grant = takeAtOnce() { return .granted(grant) }
        waiters.append((id, waiter))
        return .queued
    }

    enum Release {
        case resume(Waiter, Grant)
        case discard(Resource)
        case nothing
    }

    /// A caller gives back its slot, with its connection if that is still good.
    mutating func release(_ resource: Resource?) -> Release {
        precondition(held > 0, "a slot was given back twice")
        if isClosed {
            held -= 1
            return resource.map(Release.discard) ?? .nothing
        }
        if !waiters.isEmpty {
            let next = waiters.removeFirst().waiter
            return .resume(next, resource.map(Grant.use) ?? .connect)
        }
        held -= 1
        if let resource { idle.append(resource) }
        return .nothing
    }

    /// A waiter gave up; nil when it has been served or turned away already.
    mutating func remove(id: UInt64) -> Waiter? {
        guard let index = waiters.firstIndex(where: { $0.id == id }) else { return nil }
        return waiters.remove(at: index).waiter
    }

    /// Turns everybody away from now on; connections still held are discarded when they come back.
    mutating func close() -> (idle: [Resource], waiters: [Waiter]) {
        isClosed = true
        defer {
            idle = []
            waiters = []
        }
        return (idle, waiters.map(\.waiter))
    }
}
