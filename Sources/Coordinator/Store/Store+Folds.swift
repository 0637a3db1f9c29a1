import BIDS
import Foundation
import Postgres
import Workflow

extension Store {
    /// Who is in which fold of a run, as the artifact that says so.
    package struct FoldDocument: Sendable {
        package var file: FileReference
        package var document: JSONValue

        package init(file: FileReference, document: JSONValue) { (self.file, self.document) = (file, document) }
    }

    /// Keeps with a run who is in which fold.
    static func store(_ folds: FoldDocument, run: RunID, _ session: Session) throws {
        guard let digest = folds.file.digest else {
            throw StoreError.missingDigest(step: "folds", path: folds.file.path)
        }
        try session.execute(
            "INSERT INTO fold_assignment (run_id, digest, path, document) VALUES ($1, $2, $3, $4)",
            [
                .bigint(run.rawValue), .bytea(digest.bytes), .text(folds.file.path),
                .jsonb(folds.document.canonicalString),
            ])
    }
}
