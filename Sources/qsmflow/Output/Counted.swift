/// Numbers of things, in words that agree.
enum Counted {
    /// `1 task`, `2 tasks`.
    static func tasks(_ count: Int) -> String { text(count, "task", "tasks") }

    static func text(_ count: Int, _ one: String, _ many: String) -> String { "\(count) \(count == 1 ? one : many)" }
}
