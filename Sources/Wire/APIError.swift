/// The one shape of every error the coordinator answers with.
package struct APIError: Codable, Sendable, Error, CustomStringConvertible {
    /// Stable word for programs, e.g. `not_found`, `unauthorized`, `invalid`, `stale_lease`, `digest_mismatch`,
    /// `storage_full`, `database_unavailable`, `conflict`, `too_large`, `internal`.
    package var code: String
    /// One sentence for people: what is wrong and what to do.
    package var message: String
    /// Where in the input, e.g. `subcortical.yaml:12:5`, one entry per finding.
    package var details: [String]?

    package init(code: String, message: String, details: [String]? = nil) {
        (self.code, self.message, self.details) = (code, message, details)
    }

    package var description: String {
        guard let details, !details.isEmpty else { return message }
        return ([message] + details).joined(separator: "\n  ")
    }
}
