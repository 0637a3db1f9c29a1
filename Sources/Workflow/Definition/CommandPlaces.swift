/// The places `{…}` in an argument of the kind `command`.
package enum CommandPlaces {
    /// Places that need no name after them.
    package static let plain = ["subject", "session", "atlas", "threads"]

    /// What stands between single braces; `{{` is a plain brace.
    package static func places(in argument: String) -> [String] {
        var places: [String] = []
        var rest = argument[...]
        while let open = rest.firstIndex(of: "{") {
            rest = rest[rest.index(after: open)...]
            if rest.first == "{" {
                rest = rest.dropFirst()
                continue
            }
            guard let close = rest.firstIndex(of: "}") else { break }
            places.append(String(rest[..<close]))
            rest = rest[rest.index(after: close)...]
        }
        return places
    }
}
