import Testing
import Workflow

@Suite struct TaskGraphTests {
    @Test func ordersByNeedThenByPlace() {
        let graph = TaskGraph(names: ["a", "b", "c", "d"], predecessors: [[2], [], [1, 1], []])
        #expect(graph.order == .sorted([1, 2, 0, 3]))
        #expect(TaskGraph(names: [], predecessors: []).order == .sorted([]))
    }

    @Test func findsACycleAndOnlyThat() {
        let graph = TaskGraph(names: ["in", "a", "b", "out"], predecessors: [[], [0, 2], [1], [2]])
        guard case .cycle(let nodes) = graph.order else {
            Issue.record("no cycle found")
            return
        }
        #expect(Set(nodes) == [1, 2])
        for (index, node) in nodes.enumerated() {
            #expect(graph.predecessors[node].contains(nodes[(index + 1) % nodes.count]))
        }
    }

    /// Random graphs: an order respects every need; edges that only point back to earlier nodes never make a cycle.
    @Test func randomGraphs() {
        var state: UInt64 = 7
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        for _ in 0..<200 {
            let count = 1 + random(12)
            let isAcyclic = random(2) == 0
            let predecessors = (0..<count).map { node in
                (0..<random(4)).map { _ in isAcyclic ? random(node + 1) : random(count) }.filter {
                    !isAcyclic || $0 < node
                }
            }
            let graph = TaskGraph(names: (0..<count).map(String.init), predecessors: predecessors)
            switch graph.order {
            case .sorted(let order):
                #expect(order.sorted() == Array(0..<count))
                for (node, needed) in predecessors.enumerated() {
                    for other in needed { #expect(order.firstIndex(of: other)! < order.firstIndex(of: node)!) }
                }
            case .cycle(let nodes):
                #expect(!isAcyclic)
                for (index, node) in nodes.enumerated() {
                    #expect(predecessors[node].contains(nodes[(index + 1) % nodes.count]))
                }
            }
        }
    }

    @Test func descendantsIncludeThemselves() {
        let graph = TaskGraph(names: ["a", "b", "c", "d"], predecessors: [[], [0], [1], []])
        #expect(graph.descendants(of: [1]) == [1, 2])
        #expect(graph.descendants(of: []) == [])
    }
}
