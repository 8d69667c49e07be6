// The picture of the three parties: their addresses, and a dot that travels with each request.

const calm = matchMedia('(prefers-reduced-motion: reduce)');

/** Writes the addresses wherever the page names a party. */
export function nameParties(setup) {
  for (const place of document.querySelectorAll('[data-party]')) {
    place.textContent = setup[place.dataset.party].replace('http://', '');
  }
}

/** Lets a dot run along a way, once in each picture. */
export function travel(way) {
  if (calm.matches) return;
  for (const lane of document.querySelectorAll(`.lane[data-way=${way}]`)) {
    const pulse = lane.ownerSVGElement.querySelector('.pulse');
    const length = lane.getTotalLength();
    const frames = Array.from({length: 13}, (_, step) => {
      const {x, y} = lane.getPointAtLength((length * step) / 12);
      return {transform: `translate(${x}px, ${y}px)`, visibility: 'visible'};
    });
    pulse.setAttribute('data-way', way);
    pulse.animate(frames, {duration: 420, easing: 'ease-in-out'});
  }
}
