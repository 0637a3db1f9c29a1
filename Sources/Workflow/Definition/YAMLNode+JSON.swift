import BIDS

extension YAMLNode {
    /// A value that a parameter brought, as if it stood where the parameter is named.
    init(_ json: JSONValue, at mark: SourceMark) {
        let content: Content
        switch json {
        case .object(let members):
            content = .mapping(
                members.sorted { $0.key < $1.key }.map { key, value in
                    Member(key: key, keyMark: mark, value: YAMLNode(value, at: mark))
                })
        case .array(let elements): content = .sequence(elements.map { YAMLNode($0, at: mark) })
        case .string(let text): content = .scalar(text, isPlain: false)
        case .null: content = .scalar("null", isPlain: true)
        default: content = .scalar(json.canonicalString, isPlain: true)
        }
        self.init(mark: mark, content: content)
    }
}
