import BIDS
import Testing

@Suite struct BIDSIgnoreTests {
    @Test(arguments: [
        ("*.nii", "sub-01/anat/a.nii", false, true),
        ("*.nii", "sub-01/anat/a.nii.gz", false, false),
        ("/a.nii", "sub-01/a.nii", false, false),
        ("/a.nii", "a.nii", false, true),
        ("extra/", "sub-01/extra", true, true),
        ("extra/", "sub-01/extra/x.nii", false, true),
        ("extra/", "sub-01/extra", false, false),
        ("sub-01/**", "sub-01/anat/x.nii", false, true),
        ("sub-01/**", "sub-01", true, false),
        ("**/figures", "sub-01/figures/a.svg", false, true),
        ("sub-*/anat/*_SWI.*", "sub-01/anat/sub-01_SWI.nii.gz", false, true),
        ("sub-*/anat/*_SWI.*", "sub-01/ses-1/anat/sub-01_SWI.nii.gz", false, false),
        ("sub-**/anat", "sub-01/anat", true, true),
        ("sub-0[1-3]_*", "sub-02_x.nii", false, true),
        ("sub-0[!1-3]_*", "sub-02_x.nii", false, false),
        ("sub-0?_x", "sub-02_x", false, true),
        ("# comment", "# comment", false, false),
        ("\\#file", "#file", false, true),
        ("a[b", "a[b", false, true),
        ("*a*b*c*d*", "xxaxxbxxcxxdxx", false, true),
        ("*a*b*c*d*", "xxaxxbxxdxxcxx", false, false),
        ("é*", "été.nii", false, true),
        ("x.nii  ", "x.nii", false, true),
    ])
    func followsGitignore(pattern: String, path: String, isFolder: Bool, ignored: Bool) {
        #expect(BIDSIgnore(text: pattern).ignores(path, isFolder: isFolder) == ignored)
    }

    @Test func theLastPatternDecides() {
        let ignore = BIDSIgnore(text: "*.tsv\r\n!participants.tsv\n\n")
        #expect(ignore.ignores("a.tsv", isFolder: false))
        #expect(!ignore.ignores("participants.tsv", isFolder: false))
    }

    @Test func nothingComesBackFromAnIgnoredFolder() {
        let ignore = BIDSIgnore(text: "extra/\n!extra/keep.nii\n")
        #expect(ignore.ignores("extra/keep.nii", isFolder: false))
    }

    @Test func ignoresNothingByDefault() {
        #expect(!BIDSIgnore.none.ignores("sub-01", isFolder: true))
    }
}
