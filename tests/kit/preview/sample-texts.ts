/** An answer with every kind of block. */
export const RICH_ANSWER = `This renames nothing until you take away \`echo\`:

\`\`\`bash
for f in ~/Photos/inbox/*.jpg; do
  d="$(exiftool -s3 -d %F_%H%M%S -DateTimeOriginal "$f")"
  echo mv -n "$f" "sorted/\${d:-$(date -r "$f" +%F_%H%M%S)~}.jpg"
done
\`\`\`

| Now | Becomes | Because |
|---|---|---|
| \`IMG_0042.jpg\` | \`2024-07-19_183204.jpg\` | date taken |
| \`IMG_0042 (1).jpg\` | \`2021-12-24_210557.jpg\` | date taken |
| \`received.jpg\` | \`2023-03-02_080113~.jpg\` | file date |

Both are number 42, yet two and a half years lie between them. See [the manual](https://exiftool.org/faq.html) for more.

1. Work on a copy, never on the only folder.
2. Read the date taken; where it is missing, fall back to the file date and mark those names with \`~\`.
   - A name is never used twice.
   - Nothing is deleted.
3. Compare **hashes** before you call two pictures *the same*.

> What is not verified is not a copy.
`

/** The same, cut in the middle of a word. */
export const HALF_ANSWER = RICH_ANSWER.slice(0, RICH_ANSWER.indexOf(' between them'))

/** A plain answer. */
export const PLAIN_ANSWER = `Sort them by the date *inside* each file, not by the file name. Phones number their pictures from one, so names collide, and a copy loses its name first. The date taken travels with the picture.

1. Work on a copy, never on the only folder.
2. Read the date taken; where it is missing, fall back to the file date.
3. Compare hashes before you call two pictures the same.`
