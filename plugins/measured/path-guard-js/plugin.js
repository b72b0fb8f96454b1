// The rule of `path-guard` for measuring, in JavaScript: words beneath a forbidden path. It knows nothing of open words, so it is
// no example of a guard.

function fold(path) {
  const parts = [];
  for (const part of path.split('/')) {
    if (part === '..') {
      parts.pop();
    } else if (part !== '' && part !== '.') {
      parts.push(part);
    }
  }
  return parts;
}

const beneath = (path, root) => path.length >= root.length && root.every((part, at) => path[at] === part);

export const validator = {
  validate(context) {
    const forbidden = JSON.parse(context.settings).deny.map(fold);
    for (const leaf of context.leaves) {
      for (const word of leaf.argv) {
        for (const [, start] of word.matchAll(/(?:^|[=:,@ ])(\/.*)/g)) {
          const path = fold(start);
          if (forbidden.some((root) => beneath(path, root))) {
            return { tag: 'objection', val: { code: 'path_forbidden', reason: 'A word of the command lies beneath it.' } };
          }
        }
      }
    }
    return { tag: 'no-objection' };
  },
};
