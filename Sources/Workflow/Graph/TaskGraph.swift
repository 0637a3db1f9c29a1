/// Which step needs which: an order to run them in, or the cycle that forbids one.
package struct TaskGraph: Sendable {
    package let names: [String]
    /// For each node the nodes it needs; repetitions do no harm.
    package let predecessors: [[Int]]

    package init(names: [String], predecessors: [[Int]]) {
        precondition(names.count == predecessors.count, "every node has a list of predecessors")
        self.names = names
        self.predecessors = predecessors
    }

    package enum Order: Hashable, Sendable {
        /// Every node after all it needs; otherwise as early as its place in the file.
        case sorted([Int])
        /// A way round: each needs the next, the last needs the first.
        case cycle([Int])
    }

    package var order: Order {
        var waiting = predecessors.map { Set($0).count }
        var dependants = [[Int]](repeating: [], count: names.count)
        for (node, needed) in predecessors.enumerated() {
            for other in Set(needed) { dependants[other].append(node) }
        }
        var sorted: [Int] = []
        var isDone = [Bool](repeating: false, count: names.count)
        // Quadratic in the number of steps, of which a workflow has tens: the earliest ready one comes next.
        while let next = names.indices.first(where: { !isDone[$0] && waiting[$0] == 0 }) {
            isDone[next] = true
            sorted.append(next)
            for node in dependants[next] { waiting[node] -= 1 }
        }
        if sorted.count == names.count { return .sorted(sorted) }
        return .cycle(cycle(among: names.indices.filter { !isDone[$0] }))
    }

    /// Every node that needs one of `nodes`, directly or not, and these themselves.
    package func descendants(of nodes: Set<Int>) -> Set<Int> {
        var found = nodes
        var grew = true
        while grew {
            grew = false
            for (node, needed) in predecessors.enumerated()
            where !found.contains(node) && needed.contains(where: found.contains) {
                found.insert(node)
                grew = true
            }
        }
        return found
    }

    /// Each node left over needs another that is left over: walking along needs meets a node again.
    private func cycle(among left: [Int]) -> [Int] {
        let isLeft = Set(left)
        var path: [Int] = []
        var node = left[0]
        while !path.contains(node) {
            path.append(node)
            // A node left over waits for at least one other such node.
            node = predecessors[node].first(where: isLeft.contains)!
        }
        return Array(path[path.firstIndex(of: node)!...])
    }
}
